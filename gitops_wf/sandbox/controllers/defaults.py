"""What a fresh cluster holds: system namespaces, default roles and its one node."""

from __future__ import annotations

import json
from datetime import datetime
from importlib import resources as package_files

from gitops_wf.sandbox.controllers.kubelet import NODE
from gitops_wf.sandbox.controllers.reading import format_time
from gitops_wf.sandbox.objects import Manifest, Manifests

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_ROOM = {"cpu": "8", "memory": "16Gi", "pods": "1000"}


def namespace(name: str) -> Manifest:
    """A system namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def bootstrap() -> Manifests:
    """The default roles, their bindings and the system's priority classes.

    Of the many roles that a Kubernetes API server makes, these are for people and for
    what they deploy; the others are those of its own parts.
    """
    path = package_files.files("gitops_wf.sandbox") / "data" / "bootstrap.json"
    found: Manifests = json.loads(path.read_bytes())
    return found


def node(now: datetime) -> Manifest:
    """The node, ready."""
    stamp = format_time(now)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": NODE,
                "kubernetes.io/os": "linux",
            },
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "status": {
            "capacity": dict(_ROOM),
            "allocatable": dict(_ROOM),
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastHeartbeatTime": stamp,
                    "lastTransitionTime": stamp,
                    "reason": "KubeletReady",
                    "message": "kubelet is posting ready status",
                }
            ],
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": NODE},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": "",
                "osImage": "",
                "containerRuntimeVersion": "",
                "kubeletVersion": "",
                "kubeProxyVersion": "",
                "operatingSystem": "",
                "architecture": "",
            },
        },
    }
