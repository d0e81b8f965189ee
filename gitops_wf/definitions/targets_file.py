"""The shape of `targets` in the daemon config."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from gitops_wf.core.config import TargetKind
from gitops_wf.core.errors import cut
from gitops_wf.core.impersonation import (
    Identity,
    ImpersonationRule,
    service_account,
)
from gitops_wf.definitions.fields import (
    Flag,
    Name,
    Part,
    Text,
    VariableName,
    broken,
)
from gitops_wf.definitions.policies import PolicyPart

_ACCOUNT = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_HEADER = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")


def _service_account(value: str) -> str:
    names = value.split("/")
    if len(names) > 2 or not all(_ACCOUNT.fullmatch(name) for name in names):
        raise broken(
            "impersonated-identity",
            f"`{cut(value, 80)}` is no service account: write namespace/name, or its"
            " name alone",
        )
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise broken(
            "impersonated-identity",
            f"`{cut(value, 80)}` cannot be sent: a user or group is printable ASCII",
        )
    return value


class GatePart(PolicyPart):
    """Writes to the target wait for approval, whatever a workflow says."""

    rollback: Literal["required", "waived"] = Field(
        default="required", description="Whether rollbacks wait, too."
    )


class ImpersonatePart(Part):
    """As whom some environments are delivered; `serviceAccount` or `user`."""

    environments: tuple[Text, ...] = Field(
        default=("*",),
        min_length=1,
        description="Globs over repository/environment; the first entry that matches"
        " counts.",
    )
    service_account: Annotated[Text, AfterValidator(_service_account)] | None = Field(
        default=None,
        description="namespace/name, or a name in the target's namespace.",
    )
    user: Annotated[Text, AfterValidator(_header)] | None = Field(
        default=None, description="A user of the cluster."
    )
    groups: tuple[Annotated[Text, AfterValidator(_header)], ...] = Field(
        default=(), description="Groups of that user."
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if (self.service_account is None) == (self.user is None):
            raise broken(
                "impersonated-identity", "write either `serviceAccount` or `user`"
            )
        if self.groups and self.user is None:
            raise broken(
                "impersonated-identity",
                "`groups` are of a `user`; a service account has its own",
            )
        return self

    def to_core(self, namespace: str) -> ImpersonationRule:
        """The core's value; the namespace is the target's."""
        if self.user is not None:
            identity = Identity(user=self.user, groups=self.groups)
        else:
            place, _, name = (self.service_account or "").rpartition("/")
            identity = service_account(place or namespace, name)
        return ImpersonationRule(environments=self.environments, identity=identity)


class TargetPart(Part):
    """A cluster, or a folder, that steps deliver to; exactly one of the first four."""

    sandbox: Flag = Field(default=False, description="The sandbox cluster.")
    kubeconfig: Text | None = Field(default=None, description="Path of a kubeconfig.")
    in_cluster: Flag = Field(default=False, description="The cluster it runs in.")
    directory: Text | None = Field(
        default=None, description="Write files here in place of a cluster."
    )
    context: Text = Field(default="", description="Context of the kubeconfig.")
    namespace: Name = Field(
        default="default", description="For objects that name none."
    )
    namespaces: tuple[Text, ...] | None = Field(
        default=None,
        description="Globs: only these may be written to; default: all.",
    )
    kinds: tuple[Text, ...] | None = Field(
        default=None,
        description="Only these may be written, as Kind or Kind.group; default: all.",
    )
    substitute: dict[VariableName, Text] = Field(
        default_factory=dict,
        description="Values of `${name}` there, for environments that declare"
        " `substitute`; their own values win.",
    )
    impersonate: tuple[ImpersonatePart, ...] = Field(
        default=(),
        description="As whom environments are delivered there; one that no entry is"
        " for, is not. Default: all as the daemon itself.",
    )
    gate: GatePart | None = Field(
        default=None, description="Who must approve writes to it."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [
            self.sandbox,
            self.kubeconfig is not None,
            self.in_cluster,
            self.directory is not None,
        ]
        if sum(given) != 1:
            raise broken(
                "target-kind",
                "write exactly one of sandbox: true, kubeconfig: PATH, inCluster: true"
                " and directory: PATH",
            )
        if self.directory is not None and self.impersonate:
            raise broken(
                "impersonated-identity",
                "`impersonate`: a directory knows no users, so leave it out",
            )
        return self

    @property
    def kind(self) -> TargetKind:
        """Which of the four it is."""
        if self.sandbox:
            return TargetKind.SANDBOX
        if self.kubeconfig is not None:
            return TargetKind.KUBECONFIG
        return TargetKind.IN_CLUSTER if self.in_cluster else TargetKind.DIRECTORY
