"""CEL expressions: checked when read, bounded when evaluated.

`parse` reads one expression, `parse_condition` a step's `if`, `parse_template` text
with `${{ … }}` in it. cel-python's grammar gives the tree for the checks; the Rust
evaluator runs only what passed them, written anew from that tree.
"""

from gitops_wf.core.expressions.condition import Condition, parse_condition
from gitops_wf.core.expressions.errors import ExpressionError, did_you_mean
from gitops_wf.core.expressions.expression import Expression, parse
from gitops_wf.core.expressions.names import (
    OPEN_SCOPE,
    ROOTS,
    STATUS_FIELDS,
    Reads,
    Scope,
)
from gitops_wf.core.expressions.template import Template, parse_template

__all__ = [
    "OPEN_SCOPE",
    "ROOTS",
    "STATUS_FIELDS",
    "Condition",
    "Expression",
    "ExpressionError",
    "Reads",
    "Scope",
    "Template",
    "did_you_mean",
    "parse",
    "parse_condition",
    "parse_template",
]
