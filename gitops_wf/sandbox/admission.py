"""What the server's own admission adds to a new object, and what it refuses."""

from __future__ import annotations

from random import Random
from typing import Any

from gitops_wf.sandbox import limits
from gitops_wf.sandbox.objects import Manifest, copy, metadata, name_of, namespace_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import forbidden
from gitops_wf.sandbox.storage import Storage

# The letters of Kubernetes' generated names: no vowels, nothing easily confused.
RANDOM_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_PRIORITIES = "priorityclasses.scheduling.k8s.io"
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def random_suffix(random: Random) -> str:
    """Five letters that end a generated name."""
    return "".join(random.choice(RANDOM_LETTERS) for _ in range(5))


class Admission:
    """The default admission plug-ins that a new object passes."""

    def __init__(self, storage: Storage, random: Random) -> None:
        self._storage, self._random = storage, random

    def complete(self, resource: Resource, manifest: Manifest) -> None:
        """Add what they add to a new object, in place; ApiError 403."""
        match resource.qualified:
            case "pods":
                self._complete_pod(resource, manifest)
            case "persistentvolumeclaims" | "persistentvolumes":
                kind = "pvc" if resource.plural == "persistentvolumeclaims" else "pv"
                finalizers = metadata(manifest).setdefault("finalizers", [])
                protection = f"kubernetes.io/{kind}-protection"
                if protection not in finalizers:
                    finalizers.append(protection)
            case _:
                pass

    def judge(self, resource: Resource, manifest: Manifest) -> None:
        """ApiError 403 for a new object that is out of its namespace's bounds."""
        ranges = self._storage.list("limitranges", namespace_of(manifest))
        found = limits.violations(resource.qualified, manifest, ranges)
        if found:
            raise forbidden(resource, name_of(manifest), found)

    def _complete_pod(self, resource: Resource, pod: Manifest) -> None:
        space = namespace_of(pod)
        limits.set_defaults(pod, self._storage.list("limitranges", space))
        spec = pod.setdefault("spec", {})
        spec.setdefault("serviceAccountName", spec.get("serviceAccount", "default"))
        spec["serviceAccount"] = spec["serviceAccountName"]
        account = self._storage.get("serviceaccounts", space, spec["serviceAccount"])
        if account is None:
            name = spec["serviceAccount"]
            raise forbidden(
                resource,
                _shown_name(pod),
                f"error looking up service account {space}/{name}: serviceaccount "
                f'"{name}" not found',
            )
        if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = copy(account["imagePullSecrets"])
        mounts = account.get("automountServiceAccountToken", True)
        if spec.get("automountServiceAccountToken", mounts):
            _mount_token(spec, self._random)
        self._set_priority(resource, pod)
        _tolerate_a_while(spec)

    def _set_priority(self, resource: Resource, pod: Manifest) -> None:
        spec = pod["spec"]
        name = spec.get("priorityClassName")
        classes = self._storage.list(_PRIORITIES)
        found = next(
            (
                one
                for one in classes
                if (name_of(one) == name if name else one.get("globalDefault"))
            ),
            None,
        )
        if name and found is None:
            why = f"no PriorityClass with name {name} was found"
            raise forbidden(resource, _shown_name(pod), why)
        if found is not None:
            spec["priorityClassName"] = name_of(found)
        spec["priority"] = found["value"] if found else 0
        policy = (found or {}).get("preemptionPolicy", "PreemptLowerPriority")
        spec.setdefault("preemptionPolicy", policy)


def _shown_name(manifest: Manifest) -> str:
    """The name of an object that may still have to be given one."""
    return name_of(manifest) or metadata(manifest).get("generateName") or "Unknown"


def _tolerate_a_while(spec: dict[str, Any]) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            one.get("key") in (None, "", key)
            and one.get("effect") in (None, "", "NoExecute")
            for one in tolerations
        ):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            )


def _mount_token(spec: dict[str, Any], random: Random) -> None:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    without = [
        container
        for container in containers
        if not any(
            mount.get("mountPath") == _TOKEN_PATH
            for mount in container.get("volumeMounts") or []
        )
    ]
    if not without:
        return
    volume = f"kube-api-access-{random_suffix(random)}"
    for container in without:
        container.setdefault("volumeMounts", []).append(
            {"name": volume, "readOnly": True, "mountPath": _TOKEN_PATH}
        )
    spec.setdefault("volumes", []).append(
        {
            "name": volume,
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "expirationSeconds": 3607,
                            "path": "token",
                        }
                    },
                    {
                        "configMap": {
                            "name": "kube-root-ca.crt",
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                    {
                        "downwardAPI": {
                            "items": [
                                {
                                    "path": "namespace",
                                    "fieldRef": {
                                        "apiVersion": "v1",
                                        "fieldPath": "metadata.namespace",
                                    },
                                }
                            ]
                        }
                    },
                ],
                "defaultMode": 420,
            },
        }
    )
