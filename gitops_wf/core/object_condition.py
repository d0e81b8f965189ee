"""A condition over one Kubernetes object, as a step that waits for it writes it."""

from collections.abc import Mapping
from typing import Any

from gitops_wf.core.expressions import Expression, Scope, parse
from gitops_wf.core.expressions.absent import guarded
from gitops_wf.core.health.rules import SCOPE, variables_of
from gitops_wf.core.inventory import Manifest, ObjectRef

_SCOPE = Scope(roots=SCOPE.roots | {"data"}, is_of_run=False)


def parse_object_condition(text: str) -> Expression:
    """Read one, over spec, status, metadata, conditions and data.

    A field that is not there makes what reads it false. Errors: ExpressionError.
    """
    return parse(text, scope=_SCOPE, guard=guarded)


def holds(condition: Expression, manifest: Manifest) -> bool:
    """Whether it holds of an object; of a Secret's data nothing is read.

    Errors: ExpressionError.
    """
    ref = ObjectRef.of(manifest)
    is_secret = (ref.group, ref.kind) == ("", "Secret")
    data: Any = None if is_secret else manifest.get("data")
    seen = {
        **variables_of(manifest),
        "data": data if isinstance(data, Mapping) else {},
    }
    return condition.evaluate_bool(seen)
