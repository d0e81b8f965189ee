"""Health rules as they are written: in our own files and in the daemon config."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import Expression, ExpressionError
from gitops_wf.core.health import HealthRule
from gitops_wf.core.health.rules import parse_rule_condition, parse_rule_message
from gitops_wf.definitions.fields import ConditionText, Part, Text, broken
from gitops_wf.definitions.problems import Outcome
from gitops_wf.definitions.shipped import ShippedFile, read_shipped

_API_VERSION = re.compile(r"(?:\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?/(\*|v\w+)")
_CORE = re.compile(r"v\d\w*")


def _api_version(value: str) -> str:
    if _API_VERSION.fullmatch(value) or _CORE.fullmatch(value):
        return value
    raise broken(
        "health-api-version",
        f"`{cut(value, 80)}` is no apiVersion: write group/version, as"
        " cert-manager.io/v1; the version does not matter, and a group may be"
        " *.example.com",
    )


def _checked(read: Callable[[str], Expression]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            read(value)
        except ExpressionError as exc:
            raise broken("health-expression", exc.message) from exc
        return value

    return AfterValidator(check)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Condition = Annotated[
    ConditionText,
    _checked(parse_rule_condition),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}]}),
]
_Message = Annotated[Text, _checked(parse_rule_message)]
_Messages = Annotated[
    tuple[_Message, ...],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
            ]
        }
    ),
]


class HealthRulePart(Part):
    """How objects of a kind are judged; the first condition that is true decides."""

    api_version: Annotated[Text, AfterValidator(_api_version)] = Field(
        description="Group and version of the kind, or \\*.group/version; the version"
        " does not matter."
    )
    kind: Text = Field(default="", description="The kind; default: all of the group.")
    kinds: tuple[Text, ...] = Field(default=(), description="Several kinds.")
    suspended: _Condition = Field(
        default="", validate_default=False, description="CEL: paused on purpose."
    )
    in_progress: _Condition = Field(
        default="",
        validate_default=False,
        description="CEL: under way. It is, too, where no condition is true.",
    )
    failed: _Condition = Field(
        default="",
        validate_default=False,
        description="CEL: it will not come up; the step fails at once.",
    )
    current: _Condition = Field(description="CEL: as it was asked to be.")
    message: _Messages = Field(
        default=(),
        description="CEL: why it is under way or failed; the first text that is there.",
    )
    suspended_message: _Messages = Field(
        default=(), description="CEL: why it is paused."
    )

    @model_validator(mode="after")
    def _names_kinds_once(self) -> Self:
        if self.kind and self.kinds:
            raise broken("health-kinds", "write either `kind` or `kinds`")
        return self

    def to_core(self, origin: str = "") -> Iterable[HealthRule]:
        """The rules, one for each kind."""
        group, slash, _ = self.api_version.rpartition("/")
        for kind in self.kinds or (self.kind,):
            yield HealthRule(
                group=group if slash else "",
                kind=kind,
                suspended=self.suspended,
                in_progress=self.in_progress,
                failed=self.failed,
                current=self.current,
                message=self.message,
                suspended_message=self.suspended_message,
                origin=origin,
            )


class HealthPart(Part):
    """How objects are judged."""

    rules: tuple[HealthRulePart, ...] = Field(
        default=(),
        description="For custom kinds; before those that are shipped, see health.md.",
    )


class _ShippedPart(HealthRulePart):
    """A rule whose expressions were checked when the package was tested."""

    suspended: ConditionText = ""
    in_progress: ConditionText = ""
    failed: ConditionText
    current: ConditionText
    message: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()
    suspended_message: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()


def read_shipped_rules(data: bytes, path: str) -> Outcome[list[HealthRule]]:
    """Read one of the package's files.

    Its expressions are parsed when an object of their kind is first judged: all of
    them together would take a second.
    """
    return read_shipped(data, path, ShippedFile[_ShippedPart], _ShippedPart.to_core)
