"""The shape of `drift`: in environment.yaml, and in the daemon config for all."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gitops_wf.core.environment import Drift
from gitops_wf.core.errors import cut
from gitops_wf.core.upkeep.ignoring import (
    IDENTITY,
    IgnoreRule,
    IgnoreTarget,
    parse_pointer,
)
from gitops_wf.definitions.fields import Flag, Part, Span, Text, broken


def _pointer(value: str) -> str:
    try:
        pointer = parse_pointer(value)
    except ValueError as exc:
        raise broken(
            "pointer-syntax",
            f'`{cut(value, 80)}` is no JSON pointer: {cut(str(exc))}; `""` is the'
            " whole object",
        ) from exc
    if pointer == ("metadata",) or pointer in IDENTITY:
        raise broken(
            "pointer-identity",
            f"`{cut(value, 80)}` holds what makes it this object, and cannot be"
            " ignored: name what is in it, as /metadata/annotations",
        )
    return value


class IgnoreTargetPart(Part):
    """Which objects: globs, of which all must match."""

    group: Text = Field(
        default="*", description='API group, as apps; `""` is the core one.'
    )
    kind: Text = Field(default="*", description="Kind, as Deployment.")
    namespace: Text = Field(default="*", description="Namespace.")
    name: Text = Field(default="*", description="Name.")


class IgnorePart(Part):
    """Fields that may differ from Git: no drift, and never healed."""

    paths: tuple[Annotated[Text, AfterValidator(_pointer)], ...] = Field(
        default=(),
        description='JSON pointers into the object as Git has it; `""` is all of it.',
    )
    managers: tuple[Text, ...] = Field(
        default=(),
        description="Globs over managers in managedFields: what they own may differ.",
    )
    target: IgnoreTargetPart = Field(
        default=IgnoreTargetPart(), description="Which objects; default: all."
    )

    @model_validator(mode="after")
    def _ignores_something(self) -> Self:
        if not (self.paths or self.managers):
            raise broken(
                "ignore-nothing",
                "says not what may differ: write `paths` (as /spec/replicas) or"
                " `managers`",
            )
        return self

    def to_core(self) -> IgnoreRule:
        """The core's value."""
        return IgnoreRule(
            paths=self.paths,
            managers=self.managers,
            target=IgnoreTarget(**dict(self.target)),
        )


class DriftPart(Part):
    """How live objects are compared with the released revision, and what follows."""

    interval: Span | None = Field(
        default=None,
        description="Time between comparisons; 0s compares nothing. Default: the daemon"
        " config's, else 5m.",
    )
    self_heal: Flag | None = Field(
        default=None,
        description="Apply again what differs; false only reports it. Default: the"
        " daemon config's, else false.",
    )
    ignore: tuple[IgnorePart, ...] = Field(
        default=(), description="What may differ; those of the daemon config hold, too."
    )

    def to_core(self) -> Drift:
        """The core's value."""
        return Drift(
            interval=self.interval,
            self_heal=self.self_heal,
            ignore=tuple(each.to_core() for each in self.ignore),
        )
