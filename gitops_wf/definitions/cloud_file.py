"""Rules of cloud resources as written: in our own files and in the daemon config."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gitops_wf.core.cloud import CloudRule, parse_secret_place
from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import ExpressionError
from gitops_wf.definitions.fields import Part, Text, broken
from gitops_wf.definitions.problems import Outcome
from gitops_wf.definitions.shipped import ShippedFile, read_shipped

_API_VERSION = re.compile(r"(\*|(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+)/(\*|v\w+)")
_FIELD = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+")


def _api_version(value: str) -> str:
    if _API_VERSION.fullmatch(value):
        return value
    raise broken(
        "cloud-api-version",
        f"`{cut(value, 80)}` is no apiVersion of a custom kind: write group/version, as"
        " rds.services.k8s.aws/v1alpha1; the version does not matter, and a group may"
        " be *.example.com",
    )


def _field(value: str) -> str:
    if _FIELD.fullmatch(value):
        return value
    raise broken(
        "cloud-field",
        f"`{cut(value, 80)}` is no field of an object: write its path, as"
        " spec.writeConnectionSecretToRef",
    )


def _expression(value: str) -> str:
    try:
        parse_secret_place(value)
    except ExpressionError as exc:
        raise broken("cloud-expression", exc.message) from exc
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_ApiVersion = Annotated[Text, AfterValidator(_api_version)]
_Field = Annotated[Text, AfterValidator(_field)]
_Expression = Annotated[Text, AfterValidator(_expression)]


class SecretPlacePart(Part):
    """Where the Secret of a cloud resource is."""

    name: _Expression = Field(
        description="CEL: its name; nothing, or what is not there, is no Secret."
    )
    namespace: _Expression = Field(
        default="",
        validate_default=False,
        description="CEL: its namespace; default: the object's own.",
    )


class CloudRulePart(Part):
    """Which objects are cloud resources, and where their Secret is."""

    api_version: _ApiVersion = Field(
        description="Group and version of the kind, or \\*.group/version; the version"
        " does not matter."
    )
    kind: Text = Field(default="", description="The kind; default: all of the group.")
    kinds: tuple[Text, ...] = Field(default=(), description="Several kinds.")
    having: Annotated[tuple[_Field, ...], BeforeValidator(_listed)] = Field(
        default=(),
        description="Fields of which an object must have one, as spec.forProvider.",
    )
    secret: SecretPlacePart | None = Field(
        default=None, description="Where its access data is; default: it has none."
    )
    fills: _Field | None = Field(
        default=None,
        description="The field with the Secret's namespace, for a controller that"
        " takes another than the object's own where it is not set.",
    )

    @model_validator(mode="after")
    def _names_kinds_once(self) -> Self:
        if self.kind and self.kinds:
            raise broken("cloud-kinds", "write either `kind` or `kinds`")
        if self.api_version.startswith("*/") and not (self.having or self.kind):
            raise broken(
                "cloud-kinds",
                "a rule for every group must say which objects: write `kind` or"
                " `having`",
            )
        return self

    def to_core(self, origin: str = "") -> Iterable[CloudRule]:
        """The rules, one for each kind."""
        group = self.api_version.rpartition("/")[0]
        secret = self.secret
        for kind in self.kinds or (self.kind,):
            yield CloudRule(
                group=group,
                kind=kind,
                having=self.having,
                secret_name=secret.name if secret else "",
                secret_namespace=secret.namespace if secret else "",
                fills=self.fills or "",
                origin=origin,
            )


class CloudPart(Part):
    """Which objects are cloud resources."""

    rules: tuple[CloudRulePart, ...] = Field(
        default=(),
        description="For further kinds; before those that are shipped, see"
        " steps/deploy-cloud-resource.md.",
    )


def read_shipped_cloud_rules(data: bytes, path: str) -> Outcome[list[CloudRule]]:
    """Read one of the package's files."""
    return read_shipped(data, path, ShippedFile[CloudRulePart], CloudRulePart.to_core)
