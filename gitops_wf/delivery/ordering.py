"""In which order the objects of a wave are applied, by kind, and what goes is deleted.

Flux's kind order (fluxcd/pkg/ssa); the waves themselves are Argo CD's (`waves`).
"""

import math
from collections.abc import Iterable, Mapping
from itertools import groupby

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.inventory import Manifest, ObjectRef, annotations_of
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


def prune_waves(found: Mapping[ObjectRef, Manifest]) -> list[list[ObjectRef]]:
    """Return what is to be deleted wave by wave: the reverse of an apply.

    ``found`` are the objects as they are on the cluster: what left Git has its
    annotations only there. Webhooks are first, for what serves them may go with them;
    what all others need is last.
    """
    ordered = sorted(
        found,
        key=lambda ref: (_leaving(ref, found[ref]), kind_rank(ref.kind), ref),
        reverse=True,
    )
    grouped = groupby(ordered, lambda ref: _leaving(ref, found[ref]))
    return [list(group) for _, group in grouped]


def _leaving(ref: ObjectRef, live: Manifest) -> float:
    """Return when an object goes: the greater, the earlier."""
    place = stage(ref.kind)
    if place in {DEFINITIONS, WEBHOOKS}:
        return math.inf if place == WEBHOOKS else -math.inf
    try:
        return wave_of(annotations_of(live))
    except ValueError:
        return 0  # somebody wrote it there: no reason to keep the object
