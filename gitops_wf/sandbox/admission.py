"""What the server's admission adds to an object before it is stored."""

from __future__ import annotations

from random import Random
from typing import Any

from gitops_wf.sandbox.objects import Manifest, metadata
from gitops_wf.sandbox.resources import Resource

# The letters of Kubernetes' generated names: no vowels, nothing easily confused.
RANDOM_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def random_suffix(random: Random) -> str:
    """Five letters that end a generated name."""
    return "".join(random.choice(RANDOM_LETTERS) for _ in range(5))


def admit_create(resource: Resource, manifest: Manifest, random: Random) -> None:
    """Add what the default admission plugins add to a new object, in place."""
    match resource.qualified:
        case "pods":
            _admit_pod(manifest, random)
        case "persistentvolumeclaims" | "persistentvolumes":
            kind = "pvc" if resource.plural == "persistentvolumeclaims" else "pv"
            finalizers = metadata(manifest).setdefault("finalizers", [])
            protection = f"kubernetes.io/{kind}-protection"
            if protection not in finalizers:
                finalizers.append(protection)
        case _:
            pass


def _admit_pod(pod: Manifest, random: Random) -> None:
    spec = pod.setdefault("spec", {})
    spec.setdefault("serviceAccountName", spec.get("serviceAccount", "default"))
    spec["serviceAccount"] = spec["serviceAccountName"]
    if spec.get("automountServiceAccountToken", True):
        _mount_token(spec, random)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
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
