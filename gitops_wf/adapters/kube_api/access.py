"""How an API server is reached and as whom: kubeconfig files and in-cluster."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes import config as untyped_config

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.secret import Secret

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts it (kubernetes.io: accessing the API from a Pod)."""

USER_AGENT = "gitops-wf/1"
"""The part before the slash is the default field manager of a write."""

config: Any = untyped_config
"""The library is untyped in part, so its calls are not checked."""

POOL_SIZE = 32
"""Connections kept open to one server; more than one apply uses at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """A configured client of the official library, and the server's address.

    ``secrets`` are what it was configured with beside a token, which changes.
    """

    client: Any
    server: str
    secrets: tuple[Secret, ...] = ()


def kubeconfig_access(path: Path, context: str | None = None) -> ApiAccess:
    """Read a kubeconfig file; an empty context is its current one.

    Exec plugins and refreshed tokens work as in kubectl. Errors: TerminalError
    (TargetNotConfigured) naming the file.
    """
    configuration = client.Configuration()
    try:
        config.load_kube_config(
            config_file=str(path),
            context=context or None,
            client_configuration=configuration,
        )
    except yaml.YAMLError as exc:
        raise _not_configured(f"kubeconfig {path}", "it is not YAML") from exc
    except (config.ConfigException, OSError) as exc:
        raise _not_configured(f"kubeconfig {path}", exc) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        # The library reads it unchecked: any of these is a part of the wrong kind.
        raise _not_configured(
            f"kubeconfig {path}", f"it is no kubeconfig: {exc}"
        ) from exc
    return _access(configuration)


def in_cluster_access(
    account: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ
) -> ApiAccess:
    """Use the service account of the pod that the daemon runs in.

    ``account`` is where its token and certificate are mounted; the token is read anew
    once a minute, for it rotates. Errors: TerminalError (TargetNotConfigured).
    """
    configuration = client.Configuration()
    loader = config.incluster_config.InClusterConfigLoader(
        token_filename=str(account / "token"),
        cert_filename=str(account / "ca.crt"),
        environ=environ,
    )
    try:
        loader.load_and_set(configuration)
    except (config.ConfigException, OSError) as exc:
        raise _not_configured(
            "inCluster: this is no pod with a service account", exc
        ) from exc
    return _access(configuration)


def _access(configuration: Any) -> ApiAccess:
    configuration.connection_pool_maxsize = POOL_SIZE
    api_client = client.ApiClient(configuration)
    api_client.user_agent = USER_AGENT
    return ApiAccess(
        client=api_client,
        server=str(configuration.host).rstrip("/"),
        secrets=tuple(_secrets(configuration)),
    )


def _secrets(configuration: Any) -> Iterator[Secret]:
    if configuration.password:
        yield Secret(str(configuration.password))
    if configuration.key_file:
        with suppress(OSError, ValueError):  # where it cannot be read, TLS says so
            yield Secret(Path(configuration.key_file).read_text(encoding="ascii"))


def _not_configured(what: str, why: object) -> TerminalError:
    return TerminalError(f"{what}: {cut(str(why))}", reason="TargetNotConfigured")
