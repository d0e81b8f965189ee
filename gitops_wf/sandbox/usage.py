"""What an object uses of its namespace's quotas.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from gitops_wf.sandbox.fields.quantity import amount, canonical
from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.strategies import qos_class

Amounts = dict[str, str]

# Kinds of the core group that quotas also count by their bare name.
_BARE = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
_UNPREFIXED = ("cpu", "memory", "ephemeral-storage")
_FINAL = frozenset({"Failed", "Succeeded"})


def usage(qualified: str, manifest: Manifest) -> Amounts:
    """What one object of a resource uses, by the names that quotas have."""
    used = {f"count/{qualified}": "1"}
    if qualified in _BARE and not _is_over(qualified, manifest):
        used[qualified] = "1"
    match qualified:
        case "pods" if not _is_over(qualified, manifest):
            used |= _computed(pod_resources(manifest))
        case "services":
            used |= _of_service(manifest)
        case "persistentvolumeclaims":
            used |= _of_claim(manifest)
        case _:
            pass
    return used


def _is_over(qualified: str, manifest: Manifest) -> bool:
    phase = (manifest.get("status") or {}).get("phase")
    return qualified == "pods" and phase in _FINAL


def _of_service(service: Manifest) -> Amounts:
    spec = service.get("spec") or {}
    ports = spec.get("ports") or ()
    balanced = spec.get("type") == "LoadBalancer"
    open_ports = len(ports) if spec.get("type") == "NodePort" or balanced else 0
    if balanced and spec.get("allocateLoadBalancerNodePorts") is False:
        open_ports = sum(bool(port.get("nodePort")) for port in ports)
    return {
        "services.nodeports": str(open_ports),
        "services.loadbalancers": "1" if balanced else "0",
    }


def _of_claim(claim: Manifest) -> Amounts:
    spec = claim.get("spec") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    used = {} if asked is None else {"requests.storage": str(asked)}
    storage_class = spec.get("storageClassName")
    if storage_class:
        suffix = f"{storage_class}.storageclass.storage.k8s.io"
        used[f"{suffix}/persistentvolumeclaims"] = "1"
        if asked is not None:
            used[f"{suffix}/requests.storage"] = str(asked)
    return used


def _computed(resources: dict[str, Any]) -> Amounts:
    used: Amounts = {}
    for name, value in (resources.get("requests") or {}).items():
        used[f"requests.{name}"] = value
        if name in _UNPREFIXED:
            used[name] = value
    for name, value in (resources.get("limits") or {}).items():
        used[f"limits.{name}"] = value
    return used


def pod_resources(pod: Manifest) -> dict[str, Amounts]:
    """The requests and limits of a whole Pod.

    Init containers run one after another before the others, so the largest counts;
    those that go on running (sidecars) count with the others.
    """
    spec = pod.get("spec") or {}
    found = {}
    for key in ("requests", "limits"):
        running: Amounts = {}
        most: Amounts = {}
        for container in spec.get("initContainers") or ():
            asked = (container.get("resources") or {}).get(key) or {}
            if container.get("restartPolicy") == "Always":
                running = added(running, asked)
                most = _combined(most, running, max)
            else:
                most = _combined(most, added(running, asked), max)
        for container in spec.get("containers") or ():
            asked = (container.get("resources") or {}).get(key) or {}
            running = added(running, asked)
        found[key] = added(_combined(most, running, max), spec.get("overhead") or {})
    return found


def missing_of(pod: Manifest, wanted: Iterable[str]) -> str:
    """Which containers leave out what a quota counts; '' where none does."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    texts = []
    for name in sorted(wanted):
        without = sorted(
            str(container.get("name"))
            for container in containers
            if name not in _computed(container.get("resources") or {})
        )
        if name in _CONSTRAINED and without:
            texts.append(f"{name} for: {','.join(without)}")
    return f"must specify {'; '.join(texts)}" if texts else ""


_CONSTRAINED = frozenset(
    {
        *("cpu", "memory"),
        *("requests.cpu", "requests.memory"),
        *("limits.cpu", "limits.memory"),
    }
)


def added(one: Amounts, other: Amounts) -> Amounts:
    """The sum of two amounts."""
    return _combined(one, other, lambda left, right: left + right)


def subtracted(one: Amounts, other: Amounts) -> Amounts:
    """The difference of two amounts."""
    return _combined(one, other, lambda left, right: left - right)


def _combined(
    one: Amounts, other: Amounts, how: Callable[[Decimal, Decimal], Decimal]
) -> Amounts:
    names = [*one, *(name for name in other if name not in one)]
    return {
        name: _shown(
            how(amount(one.get(name, "0")), amount(other.get(name, "0"))),
            _like(one.get(name, "0"), other.get(name, "0")),
        )
        for name in names
    }


def _like(one: str, other: str) -> str:
    """Whose suffixes a sum has: those of the first that is not nothing."""
    return one if amount(one) else other


def _shown(value: Decimal, like: str) -> str:
    """The amount as text, in the family of suffixes of another one."""
    if like.endswith("i") and value == value.to_integral_value():
        return str(canonical(f"{value / 1024:f}Ki"))
    return str(canonical(f"{value:f}"))


def in_scope(quota: Manifest, qualified: str, manifest: Manifest) -> bool:
    """Whether a quota looks at this object at all: scopes are of Pods only."""
    spec = quota.get("spec") or {}
    terms = [
        {"scopeName": one, "operator": "Exists"} for one in spec.get("scopes") or ()
    ]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not terms:
        return True
    return qualified == "pods" and all(_matches(one, manifest) for one in terms)


def _matches(term: dict[str, Any], pod: Manifest) -> bool:
    spec = pod.get("spec") or {}
    match term.get("scopeName"):
        case "BestEffort":
            return qos_class(pod) == "BestEffort"
        case "NotBestEffort":
            return qos_class(pod) != "BestEffort"
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "PriorityClass":
            name = spec.get("priorityClassName")
            match term.get("operator"):
                case "In":
                    return name in (term.get("values") or ())
                case "NotIn":
                    return name not in (term.get("values") or ())
                case "DoesNotExist":
                    return not name
                case _:
                    return bool(name)
        case _:
            return False
