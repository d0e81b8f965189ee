"""Variables in manifests: ``${name}``, where an environment declares `substitute`.

The form is Flux's post-build substitution (kustomize-controller, strict): a name that
has no value is an error, ``${name:-default}`` and ``${name:=default}`` give one, and
``$${name}`` is the text ``${name}``. A ``$name`` without braces is left as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_wf.core.errors import cut

NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
"""What a variable may be called: as in a shell."""

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_PARTS = re.compile(r"([_A-Za-z][_A-Za-z0-9]*)(?::[-=](.*))?", re.DOTALL)


class UnknownVariableError(ValueError):
    """A reference that has no value, or that is none."""


@dataclass(frozen=True, slots=True)
class Variables:
    """Values by name, and the places that could give one, for messages."""

    values: Mapping[str, str]
    sources: str = ""

    def fill(self, text: str) -> str:
        """Return a text with its references replaced, once: values hold none.

        Errors: UnknownVariableError.
        """
        return _REFERENCE.sub(self._value, text) if "${" in text else text

    def _value(self, found: re.Match[str]) -> str:
        escaped, inner = found.groups()
        if escaped:
            return "${" + inner + "}"
        parts = _PARTS.fullmatch(inner)
        if parts is None:
            raise UnknownVariableError(
                f"${{{cut(inner, 64)}}} is no variable: write ${{name}} or "
                f"${{name:-default}}, or $${{{cut(inner, 64)}}} for the text itself"
            )
        name, default = parts.groups()
        value = self.values.get(name, default)
        if value is None:
            where = f" in {self.sources}" if self.sources else ""
            raise UnknownVariableError(
                f"${{{name}}} has no value: give it one{where}, write a default "
                f"(${{{name}:-…}}), or $${{{name}}} for the text itself"
            )
        return value
