"""Targets that are namespaces of one cluster, and the step types that write there."""

import uuid

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.errors import TerminalError
from gitops_wf.ports.cluster import AllowList
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE


class Namespaces:
    """Targets that are namespaces of one cluster."""

    def __init__(self, kubeconfig, names):
        self.one = KubeCluster(kubeconfig_access(kubeconfig))
        self.names = {name: f"{name}-{uuid.uuid4().hex[:8]}" for name in names}
        for namespace in self.names.values():
            self.one.create(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": namespace},
                }
            )

    def cluster(self, target, environment):
        return self.one

    def namespace(self, target):
        if target not in self.names:
            raise TerminalError(f"no {target}", reason="TargetNotConfigured")
        return self.names[target]

    def allowed(self, target):
        return AllowList()

    def has(self, target, name):
        resource = self.one.resource("v1", "ConfigMap")
        return self.one.get(resource, self.names[target], name) is not None


class OwningTypes:
    """The two step types, the second of which may die once."""

    def __init__(self):
        self.types = {DEPLOY.name: DEPLOY, PRUNE.name: PRUNE}

    def get(self, name):
        return self.types.get(name)

    def names(self):
        return (DEPLOY.name,)


def config_map(name, metadata=""):
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{metadata}}}\n"
        "data: {a: b}\n"
    )
