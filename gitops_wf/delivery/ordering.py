"""In which order the objects of a wave are applied: by kind.

Flux's kind order (fluxcd/pkg/ssa); the waves themselves are Argo CD's (`waves`).
"""

from collections.abc import Iterable
from itertools import groupby

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.inventory import ObjectRef, annotations_of
from gitops_wf.delivery.hooks import wave_of
from gitops_wf.delivery.rendering import Desired

_KINDS = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANK = {kind: rank for rank, kind in enumerate(_KINDS)}

DEFINITIONS, CLASSES, CONFIGURATION, REST, WEBHOOKS = range(5)
"""The stages: what others need to exist, then what they need to be set, the rest."""


def kind_rank(kind: str) -> int:
    """Return where a kind stands in the order."""
    if kind in _LAST:
        return len(_KINDS) + 1 + _LAST.index(kind)
    return _RANK.get(kind, len(_KINDS))


def stage(kind: str) -> int:
    """Return the stage of a kind: all of one stage are applied at once."""
    if kind in {"CustomResourceDefinition", "Namespace", "ClusterRole"}:
        return DEFINITIONS
    if kind in _LAST:
        return WEBHOOKS
    if kind.endswith("Class") and kind in _RANK:
        return CLASSES
    if kind in _RANK and _RANK[kind] <= _RANK["LimitRange"]:
        return CONFIGURATION
    return REST


def sync_wave(item: Desired) -> int | None:
    """Return the sync wave of an object, 0 where it names none.

    None is what all others need: it comes before every wave.
    """
    if stage(item.ref.kind) == DEFINITIONS:
        return None
    try:
        return wave_of(annotations_of(item.manifest))
    except ValueError as exc:
        raise DefinitionError(
            item.path, item.line, f"{item.ref}: annotation {exc}"
        ) from exc


def stages(objects: Iterable[Desired]) -> list[list[Desired]]:
    """Return the objects of a wave in groups: one after the other, each at once."""
    ordered = sorted(
        objects,
        key=lambda item: (stage(item.ref.kind), kind_rank(item.ref.kind), item.ref),
    )
    return [
        list(group) for _, group in groupby(ordered, lambda item: stage(item.ref.kind))
    ]


def prune_order(refs: Iterable[ObjectRef]) -> list[ObjectRef]:
    """Return objects in the order of their deletion: the reverse of an apply."""
    return sorted(refs, key=lambda ref: (kind_rank(ref.kind), ref), reverse=True)
