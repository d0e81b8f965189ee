"""Secrets of the daemon config: values from its environment, files and clusters.

Files and clusters are read at each use, so a rotated secret needs no restart.
"""

import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Protocol

import yaml

from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.grants import KubernetesSource, SecretGrant
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.ports.secrets import SecretRef

SIZE_LIMIT = 64 * 1024


class SecretObjects(Protocol):
    """Reads Secrets of clusters."""

    def read(
        self, source: KubernetesSource, environment: EnvironmentId | None
    ) -> Mapping[str, str] | None:
        """Return the values of one by key, None where there is none."""


class ConfigSecrets:
    """Secrets over the grants of the daemon config.

    ``environ`` are the daemon's own variables; ``redactor`` is told of each value
    before anybody else has it; ``objects`` reads those of clusters.
    """

    def __init__(
        self,
        grants: Iterable[SecretGrant],
        *,
        environ: Mapping[str, str] = os.environ,
        redactor: Redactor | None = None,
        objects: SecretObjects | None = None,
    ) -> None:
        self._grants = {grant.name: grant for grant in grants}
        self._environ = environ
        self._redactor = redactor or Redactor()
        self._objects = objects

    def resolve(self, ref: SecretRef, *, environment: EnvironmentId | None) -> Secret:
        """Return the value, if the grant names the environment; see the port.

        A secret that is not there and one that is not granted look the same to an
        environment, so that none can find out which there are.
        """
        grant = self._grants.get(ref.name)
        if environment is not None and (
            grant is None or not grant.allows_environment(environment)
        ):
            raise TerminalError(
                f"secret {_shown(ref)} is not granted to {environment}; the daemon "
                "config names who may use it",
                reason="SecretNotGranted",
            )
        if grant is None:
            raise _not_found(ref, "the daemon config has none of this name")
        if grant.kubernetes is not None:
            value = self._from_cluster(grant.kubernetes, ref, environment)
        else:
            value = self._from_env(grant, ref) if grant.env else _from_file(grant, ref)
        if not value:
            raise _not_found(ref, "it is empty")
        secret = Secret(value)
        self._redactor.learn(secret)
        return secret

    def may_be_sent_to(self, ref: SecretRef, host: str) -> bool:
        """Whether the grant of this secret names the host."""
        grant = self._grants.get(ref.name)
        return grant is not None and grant.allows_host(host)

    def may_be_written_to(self, ref: SecretRef, target: TargetName) -> bool:
        """Whether the grant of this secret names the target."""
        grant = self._grants.get(ref.name)
        return grant is not None and grant.allows_target(target)

    def _from_cluster(
        self,
        source: KubernetesSource,
        ref: SecretRef,
        environment: EnvironmentId | None,
    ) -> str:
        if self._objects is None:
            raise _not_found(ref, "no cluster is asked from here")
        try:
            values = self._objects.read(source, environment)
        except TransientError as exc:
            raise TransientError(f"secret {_shown(ref)}: {exc.message}") from exc
        except TerminalError as exc:
            raise TerminalError(
                f"secret {_shown(ref)}: {exc.message}", reason=exc.reason
            ) from exc
        if values is None:
            raise _not_found(
                ref, f"target {source.target} has no Secret {cut(source.name, 64)}"
            )
        if not ref.key and len(values) == 1:
            return next(iter(values.values()))
        if ref.key not in values:
            keys = ", ".join(cut(key, 64) for key in sorted(values)) or "none"
            raise _not_found(ref, f"it has no such key; its keys: {keys}")
        return values[ref.key]

    def _from_env(self, grant: SecretGrant, ref: SecretRef) -> str:
        variable = grant.env.get(ref.key)
        if variable is None:
            keys = ", ".join(sorted(key for key in grant.env if key)) or "none"
            raise _not_found(ref, f"it has no such key; its keys: {keys}")
        if variable not in self._environ:
            raise _not_found(ref, f"variable {variable} of the daemon is not set")
        return self._environ[variable]


def taken_from(
    environ: MutableMapping[str, str], grants: Iterable[SecretGrant]
) -> Mapping[str, str]:
    """Take the variables that grants name out of an environment, and return them.

    Else every child of the daemon (git, ssh, a kubeconfig's exec plugin) would inherit
    them, and ``/proc/PID/environ`` would show them.
    """
    names = {name for grant in grants for name in grant.env.values()}
    return {name: environ.pop(name) for name in names if name in environ}


def _from_file(grant: SecretGrant, ref: SecretRef) -> str:
    path = Path(grant.file)
    if ref.key and path.is_dir():
        if ref.key in {".", ".."} or "/" in ref.key or "\0" in ref.key:
            raise _not_found(ref, "a key is the plain name of a file")
        return _read(path / ref.key, ref).removesuffix("\n").removesuffix("\r")
    text = _read(path, ref)
    if not ref.key:
        return text.removesuffix("\n").removesuffix("\r")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        # From None: the error quotes the file, which is the secret.
        raise _not_found(ref, f"{path} is no YAML or JSON mapping") from None
    if not isinstance(content, dict) or ref.key not in content:
        raise _not_found(ref, f"{path} has no such key")
    value = content[ref.key]
    if not isinstance(value, str):
        raise _not_found(ref, f"its value in {path} is no text; put it in quotes")
    return value


def _read(path: Path, ref: SecretRef) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError as exc:
        raise _not_found(ref, f"there is no file {path}") from exc
    except OSError as exc:
        raise TransientError(
            f"secret {_shown(ref)}: {path} cannot be read: {exc.strerror}"
        ) from exc
    if len(data) > SIZE_LIMIT:
        raise _not_found(ref, f"{path} is larger than {SIZE_LIMIT // 1024} KiB")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _not_found(ref, f"{path} is not UTF-8 text") from None


def _not_found(ref: SecretRef, why: str) -> TerminalError:
    return TerminalError(f"secret {_shown(ref)}: {why}", reason="SecretNotFound")


def _shown(ref: SecretRef) -> str:
    return cut(str(ref), 128)
