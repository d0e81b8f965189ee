"""Names that objects on a cluster carry: labels, annotations, the inventory's own."""

import hashlib
import re

from gitops_wf.core.identifiers import EnvironmentId

ENVIRONMENT_LABEL = "gitops-wf.io/environment"
CLAIMED = "ObjectClaimed"
"""The reason where an object is another environment's."""

OWN_NAMES = "gitops-wf."
"""What the names of the daemon's own ConfigMaps begin with."""

COPIED_FROM = "gitops-wf.io/copied-from"
"""On the copy of a Secret: target, namespace and name of what it was copied from."""

COPIED_VERSION = "gitops-wf.io/copied-version"
"""On the copy of a Secret: uid and version of what it was copied from."""

FORCE_ANNOTATIONS = (
    "gitops-wf.io/force",
    "kustomize.toolkit.fluxcd.io/force",
)
PRUNE_ANNOTATIONS = (
    "gitops-wf.io/prune",
    "kustomize.toolkit.fluxcd.io/prune",
)
SSA_ANNOTATIONS = (
    "gitops-wf.io/ssa",
    "kustomize.toolkit.fluxcd.io/ssa",
)
RECONCILE_ANNOTATIONS = (
    "gitops-wf.io/reconcile",
    "kustomize.toolkit.fluxcd.io/reconcile",
)
DRIFT_ANNOTATIONS = (
    "gitops-wf.io/drift",
    *RECONCILE_ANNOTATIONS,
    "helm.toolkit.fluxcd.io/driftDetection",
)
"""`disabled` on an object, in Git or on the cluster: it is not compared, nor healed."""

DEPENDS_ON = "config.kubernetes.io/depends-on"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"
ARGO_HOOK = "argocd.argoproj.io/hook"
ARGO_HOOK_POLICY = "argocd.argoproj.io/hook-delete-policy"
HELM_HOOK = "helm.sh/hook"
HELM_HOOK_POLICY = "helm.sh/hook-delete-policy"
HELM_HOOK_WEIGHT = "helm.sh/hook-weight"

_LABEL_LIMIT = 63
_SAFE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def label_value(environment: EnvironmentId) -> str:
    """Return an environment's id as a label value: ``shop/prod`` is ``shop.prod``.

    An id that this could confuse with another (a dot, an upper case letter, too
    long) gets a hash of itself at its end.
    """
    value = str(environment).replace("/", ".")
    if "." not in environment and len(value) <= _LABEL_LIMIT and _SAFE.fullmatch(value):
        return value
    mark = hashlib.sha256(str(environment).encode()).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9.-]+", "-", value.lower())[: _LABEL_LIMIT - 9]
    stem = re.sub(r"[.-]*\.[.-]*", ".", stem).strip(".-")
    return f"{stem}-{mark}".lstrip("-")


def hub_namespace(environment: EnvironmentId) -> str:
    """Return the namespace of an environment's objects on the hub: ``shop-prod``.

    Two environments whose ids differ by nothing but a dash have the same one; which of
    them has it is told by its label.
    """
    return label_value(environment).replace(".", "-")


def owner_label(environment: EnvironmentId) -> tuple[str, str]:
    """Return the label that each object of an environment carries: name and value."""
    return ENVIRONMENT_LABEL, label_value(environment)


def inventory_name(environment: EnvironmentId) -> str:
    """Return the name of the ConfigMap that holds an environment's inventory."""
    return inventory_of(label_value(environment))


def inventory_of(label: str) -> str:
    """Return the name of the inventory of the environment with that label value."""
    return f"{OWN_NAMES}{label}"
