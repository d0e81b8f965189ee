"""Turns references to secrets into values, only for hosts that their grants name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.secret import Secret
from gitops_wf.ports.properties import SecretSource, UrlSource
from gitops_wf.ports.secrets import SecretRef, Secrets

_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?"
    r"|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?][!-\[\]-~]*)?",
    re.IGNORECASE,
)
"""Strict, so that no two parsers disagree about its host: no user, no backslash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A URL, its host, and the secrets in it, for redaction."""

    url: str | Secret
    host: str
    secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedSecrets:
    """The secrets of one environment; None is the daemon's own use."""

    secrets: Secrets
    environment: EnvironmentId | None

    def value(self, source: Mapping[str, Any], *, host: str) -> Secret:
        """Return what ``{secretRef: {name, key}}`` names, if it may go to the host.

        Errors: TerminalError (SecretNotGranted), and those of Secrets.resolve.
        """
        ref = _reference(source)
        value = self.secrets.resolve(ref, environment=self.environment)
        self._check(ref, host)
        return value

    def written(self, source: Mapping[str, Any], *, target: TargetName) -> Secret:
        """Return what ``{secretRef: {name, key}}`` names, if it may go to the target.

        Errors: TerminalError (SecretNotGranted), and those of Secrets.resolve.
        """
        ref = _reference(source)
        value = self.secrets.resolve(ref, environment=self.environment)
        if not self.secrets.may_be_written_to(ref, target):
            raise TerminalError(
                f"secret {ref} may not be written to target {target}; its targets in "
                "the daemon config do not name it",
                reason="SecretNotGranted",
            )
        return value

    def headers(
        self, written: Mapping[str, str | SecretSource], *, host: str
    ) -> dict[str, str | Secret]:
        """Return headers, each as text or what its reference names; as `value`."""
        return {
            name: self.value(value.model_dump(by_alias=True), host=host)
            if isinstance(value, SecretSource)
            else value
            for name, value in written.items()
        }

    def anywhere(
        self, source: Mapping[str, Any]
    ) -> tuple[Secret, Callable[[str], None]]:
        """Return what a reference names, and what refuses hosts it may not go to.

        For a value that tells by itself where it is sent. Errors as `value`; those of
        the check: TerminalError (SecretNotGranted).
        """
        ref = _reference(source)
        value = self.secrets.resolve(ref, environment=self.environment)
        return value, lambda host: self._check(ref, host.strip("[]").casefold())

    def destination(self, source: Mapping[str, Any]) -> Destination:
        """Return where ``{value: URL}`` or ``{secretRef: {name, key}}`` leads.

        Errors: TerminalError (InvalidUrl, SecretNotGranted), and Secrets.resolve's.
        """
        if "secretRef" not in source:
            url = str(source.get("value", ""))
            return Destination(url=url, host=_host(url, cut(url, 64)), secrets=())
        ref = _reference(source)
        secret = self.secrets.resolve(ref, environment=self.environment)
        host = _host(secret.reveal(), f"of secret {ref}")
        self._check(ref, host)
        return Destination(url=secret, host=host, secrets=(secret,))

    def _check(self, ref: SecretRef, host: str) -> None:
        if not self.secrets.may_be_sent_to(ref, host):
            raise TerminalError(
                f"secret {ref} may not be sent to {cut(host, 128)}; its hosts in the "
                "daemon config do not name it",
                reason="SecretNotGranted",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread(Secrets):
    """Secrets whose values nobody looks at; ``seen`` are the references asked for.

    For what is only rehearsed, where the values need not be there.
    """

    secrets: Secrets
    seen: list[SecretRef] = field(default_factory=list)

    def resolve(self, ref: SecretRef, *, environment: EnvironmentId | None) -> Secret:
        """Return no value."""
        del environment
        self.seen.append(ref)
        return Secret("***")

    def may_be_sent_to(self, ref: SecretRef, host: str) -> bool:
        """Whether the grant of this secret names the host."""
        return self.secrets.may_be_sent_to(ref, host)

    def may_be_written_to(self, ref: SecretRef, target: TargetName) -> bool:
        """Whether the grant of this secret names the target."""
        return self.secrets.may_be_written_to(ref, target)


def told_url(source: UrlSource) -> str:
    """Return a URL as messages may have it."""
    if source.secret_ref is None:
        return cut(str(source.value), 200)
    ref = SecretRef(name=source.secret_ref.name, key=source.secret_ref.key)
    return f"the URL of secret {ref}"


def _reference(source: Mapping[str, Any]) -> SecretRef:
    ref = source.get("secretRef")
    if not isinstance(ref, Mapping) or not ref.get("name"):
        raise TerminalError(
            "a secret is written {secretRef: {name, key}}", reason="InvalidDefinition"
        )
    return SecretRef(name=str(ref["name"]), key=str(ref.get("key") or ""))


def _host(url: str, shown: str) -> str:
    match = _URL.fullmatch(url)
    if match is None:
        raise TerminalError(
            f"URL {shown} cannot be used; write http(s)://host[:port]/path in ASCII, "
            "with no user or password in it",
            reason="InvalidUrl",
        )
    return match["host"].strip("[]").casefold()
