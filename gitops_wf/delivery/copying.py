"""How a Secret is copied: the properties that the cloud resource steps share."""

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from gitops_wf.core.errors import cut
from gitops_wf.delivery.secret_copies import Wish
from gitops_wf.ports.properties import Properties

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_RESOURCE = re.compile(r"([A-Za-z][A-Za-z0-9]*/)?[a-z0-9]([-a-z0-9.:]*[a-z0-9])?")


def _checked(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{cut(value, 64)!r} is no {what}")
        return value

    return AfterValidator(check)


Key = Annotated[str, _checked(_KEY, "key of a Secret")]
ObjectName = Annotated[str, _checked(_NAME, "name of an object")]
ResourceName = Annotated[
    str, _checked(_RESOURCE, "cloud resource: write its name, or Kind/name")
]


class KeyChoice(Properties):
    """A key of the Secret, and what it is called in the copy."""

    from_: Key = Field(alias="from", description="The key in the Secret.")
    to: Key | None = Field(default=None, description="In the copy; default: the same.")

    @property
    def pair(self) -> tuple[str, str]:
        """The key in the Secret, and in the copy."""
        return self.from_, self.to or self.from_


def _short(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


_KeyChoice = Annotated[
    KeyChoice,
    BeforeValidator(_short),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "from": {
                            "type": "string",
                            "description": "The key in the Secret.",
                        },
                        "to": {
                            "type": "string",
                            "description": "In the copy; default: the same.",
                        },
                    },
                    "required": ["from"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class CopyProperties(Properties):
    """Where a copy of a Secret stands, and what is in it."""

    namespace: ObjectName | None = Field(
        default=None, description="Namespace of the copy; default: the target's."
    )
    secret_name: ObjectName | None = Field(
        default=None, description="Name of the copy; default: that of the Secret."
    )
    keys: tuple[_KeyChoice, ...] = Field(
        default=(),
        description="Which keys are copied, as text or as {from: KEY, to: KEY}; "
        "default: all, as they are.",
    )

    @model_validator(mode="after")
    def _keys_once(self) -> Self:
        seen: set[str] = set()
        for choice in self.keys:
            name = choice.pair[1]
            if name in seen:
                raise ValueError(f"keys: two of them are called {name} in the copy")
            seen.add(name)
        return self

    def wish(self) -> Wish:
        """Return what it asks for."""
        return Wish(
            namespace=self.namespace or "",
            secret_name=self.secret_name or "",
            keys=tuple(choice.pair for choice in self.keys),
        )
