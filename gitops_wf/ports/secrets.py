"""Secrets, as a role: a reference becomes a value only where it is used."""

from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """The name of a secret of the daemon config, and a key in it."""

    name: str
    key: str = ""

    def __str__(self) -> str:
        """Return ``name/key``, which is no secret."""
        return f"{self.name}/{self.key}" if self.key else self.name


class Secrets(Protocol):
    """Resolves references, within the grants of the daemon config."""

    def resolve(self, ref: SecretRef, *, environment: EnvironmentId | None) -> Secret:
        """Return the value.

        None as environment is the daemon's own use (channels of its config).
        Errors: TerminalError(reason SecretNotGranted | SecretNotFound) naming the
        reference, TransientError where its source cannot be reached.
        """

    def may_be_sent_to(self, ref: SecretRef, host: str) -> bool:
        """Whether the grant of this secret names the host."""

    def may_be_written_to(self, ref: SecretRef, target: TargetName) -> bool:
        """Whether the grant of this secret names the target, for a Secret on it."""
