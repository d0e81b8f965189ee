"""How many Pods each ReplicaSet of a Deployment should have next.

The arithmetic of `k8s.io/kubernetes/pkg/controller/deployment` (rolling.go, sync.go and
util/deployment_util.go), on ReplicaSets that are plain objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gitops_wf.sandbox.controllers.reading import annotations_of, created_at, scaled
from gitops_wf.sandbox.objects import Manifest, name_of

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"

Sizes = list[tuple[Manifest, int]]


def size_of(replica_set: Manifest) -> int:
    """spec.replicas."""
    return int(replica_set["spec"].get("replicas", 1))


def wanted(deployment: Manifest) -> int:
    """The Deployment's spec.replicas."""
    return int(deployment["spec"].get("replicas", 1))


def reported(replica_sets: Sequence[Manifest], count: str) -> int:
    """The sum of one count of the ReplicaSets' statuses."""
    return sum((one.get("status") or {}).get(count) or 0 for one in replica_sets)


def is_rolling(deployment: Manifest) -> bool:
    """Whether the strategy is RollingUpdate."""
    strategy = deployment["spec"].get("strategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def _fence_posts(deployment: Manifest) -> tuple[int, int]:
    """MaxSurge rounded up and maxUnavailable rounded down; never both zero."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = wanted(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), total, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), total, round_up=False)
    return surge, (1 if surge == 0 and unavailable == 0 else unavailable)


def max_surge(deployment: Manifest) -> int:
    """How many Pods more than wanted there may be."""
    return _fence_posts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Manifest) -> int:
    """How many Pods fewer than wanted may be available."""
    if not is_rolling(deployment) or wanted(deployment) == 0:
        return 0
    return min(_fence_posts(deployment)[1], wanted(deployment))


def size_of_new(
    deployment: Manifest, all_sets: Sequence[Manifest], current: int
) -> int:
    """The size of the new ReplicaSet that the surge allows now."""
    total = wanted(deployment)
    if not is_rolling(deployment):
        return total
    if current > total:
        return total
    pods = sum(size_of(one) for one in all_sets)
    room = total + max_surge(deployment) - pods
    return current if room <= 0 else current + min(room, total - current)


def sizes_of_old(
    deployment: Manifest, new: Manifest, old_sets: Sequence[Manifest]
) -> Sizes:
    """The old ReplicaSets to shrink now: unhealthy Pods first, then the oldest."""
    if not any(size_of(one) for one in old_sets):
        return []
    least = wanted(deployment) - max_unavailable(deployment)
    pods = size_of(new) + sum(size_of(one) for one in old_sets)
    new_unavailable = size_of(new) - reported([new], "availableReplicas")
    room = pods - least - new_unavailable
    if room <= 0:
        return []
    sizes = {name_of(one): size_of(one) for one in old_sets}
    ordered = sorted(old_sets, key=created_at)
    for one in ordered:
        unhealthy = sizes[name_of(one)] - reported([one], "availableReplicas")
        drop = max(0, min(room, unhealthy))
        sizes[name_of(one)] -= drop
        room -= drop
    spare = reported([new, *old_sets], "availableReplicas") - least
    for one in ordered:
        drop = max(0, min(spare, sizes[name_of(one)]))
        sizes[name_of(one)] -= drop
        spare -= drop
    return [
        (one, sizes[name_of(one)])
        for one in ordered
        if sizes[name_of(one)] != size_of(one)
    ]


def is_scaled(deployment: Manifest, replica_sets: Sequence[Manifest]) -> bool:
    """Whether spec.replicas changed since the ReplicaSets were last sized."""
    for one in replica_sets:
        desired = annotations_of(one).get(DESIRED)
        if size_of(one) and desired is not None and int(desired) != wanted(deployment):
            return True
    return False


def proportional_sizes(
    deployment: Manifest, new: Manifest | None, old_sets: Sequence[Manifest]
) -> Sizes:
    """The sizes after spec.replicas changed, in the middle of a rollout or not."""
    all_sets = [*old_sets, *([new] if new else [])]
    active = [one for one in all_sets if size_of(one)]
    total = wanted(deployment)
    only = _only_active(new, active, all_sets)
    if only is not None:
        return [(only, total)] if size_of(only) != total else []
    if new is not None and _is_saturated(deployment, new):
        return [(one, 0) for one in old_sets if size_of(one)]
    if not is_rolling(deployment):
        return []
    room = (total + max_surge(deployment) if total else 0) - sum(map(size_of, active))
    # The larger first; of equals the newer when growing, the older when shrinking.
    active.sort(key=created_at, reverse=room > 0)
    active.sort(key=size_of, reverse=True)
    sizes, added = {}, 0
    for one in active:
        part = _proportion(deployment, one, room, added)
        sizes[name_of(one)] = size_of(one) + part
        added += part
    if room:
        first = name_of(active[0])
        sizes[first] = max(0, sizes[first] + room - added)
    return [(one, sizes[name_of(one)]) for one in active]


def _only_active(
    new: Manifest | None, active: Sequence[Manifest], all_sets: Sequence[Manifest]
) -> Manifest | None:
    if len(active) > 1:
        return None
    if active:
        return active[0]
    if new is not None:
        return new
    return max(all_sets, key=created_at, default=None)


def _is_saturated(deployment: Manifest, new: Manifest) -> bool:
    total = wanted(deployment)
    desired = annotations_of(new).get(DESIRED)
    return (
        size_of(new) == total
        and desired == str(total)
        and reported([new], "availableReplicas") == total
    )


def _proportion(
    deployment: Manifest, replica_set: Manifest, room: int, added: int
) -> int:
    size = size_of(replica_set)
    if size == 0 or room in (0, added):
        return 0
    if wanted(deployment) == 0:
        fraction = -size
    else:
        most = wanted(deployment) + max_surge(deployment)
        before = int(annotations_of(replica_set).get(MAXIMUM) or 0)
        before = before or reported([deployment], "replicas")
        # Go rounds halves away from zero; Python's round() does not.
        fraction = math.floor(size * most / before + 0.5) - size if before else 0
    allowed = room - added
    return min(fraction, allowed) if room > 0 else max(fraction, allowed)
