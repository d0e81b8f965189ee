"""collect-service-endpoints: finds where what was delivered can be reached."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, cast

from pydantic import BaseModel, Field

from gitops_wf.core.endpoints import (
    HTTP_ROUTE,
    KINDS,
    SERVICE,
    Around,
    Endpoint,
    endpoints_of,
    parents_of,
)
from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import InventoryEntry, Manifest, ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.delivery import OwnedObjects, look_again, one_target, owned_for
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

SHOWN = 3
MOST_ENDPOINTS = 200
GATEWAY_VERSION = "gateway.networking.k8s.io/v1"


class CollectProperties(Properties):
    """What the step takes; most names are KubeVela's."""

    target: str | None = Field(
        default=None,
        description="The target to look at; default: the environment's only one.",
    )
    name: str | None = Field(
        default=None,
        description="Only of the objects with this name; default: of all that the "
        "environment has delivered.",
    )
    namespace: str | None = Field(
        default=None, description="Only of the objects in this namespace."
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Only those with this port."
    )
    port_name: str | None = Field(
        default=None, description="Only those of the port with this name."
    )
    outer: bool | None = Field(
        default=None,
        description="true: only those from outside the cluster; false: only those "
        "inside it; default: from outside where an object has such.",
    )
    protocol: Literal["http", "https"] | None = Field(
        default=None,
        description="The scheme of the URLs; default: as the port or the object says.",
    )


class CollectRunner:
    """Looks until an endpoint is there, and fails where none can come."""

    def __init__(self, owned: OwnedObjects) -> None:
        self._owned = owned

    def attempt(self, context: StepContext) -> StepResult:
        """Look for the first time."""
        return self.look(context)

    def plan(self, context: StepContext) -> Planned:
        """Return where it looks."""
        target = one_target(_reads(context.properties, context.environment), context)
        return Planned(effects=(f"looks for endpoints on {target}",))

    def look(self, context: StepContext) -> StepResult:
        """Return what is there, or what it waits for."""
        properties = cast("CollectProperties", context.properties)
        target = one_target(_reads(properties, context.environment), context)
        known = [
            entry
            for entry in self._owned.entries(context, target)
            if (entry.ref.group, entry.ref.kind) in KINDS
        ]
        meant = [entry for entry in known if _is_meant(entry.ref, properties)]
        if not meant:
            return _nothing(target, known, properties)
        found: list[Endpoint] = []
        pending: list[str] = []
        for entry in meant:
            live = self._owned.live(context, target, entry)
            if live is None:
                pending.append(f"{entry.ref}: is not there")
                continue
            around = self._around(context, target, live)
            of_it = endpoints_of(live, around, outer=properties.outer)
            found += of_it.found
            pending += [of_it.pending] if of_it.pending else []
        chosen = [each for each in found if _fits(each, properties)]
        if chosen:
            return _collected(chosen, properties)
        if pending:
            return look_again(context, f"waiting for an endpoint: {_some(pending)}")
        return _none_fits(meant, found)

    def _around(
        self, context: StepContext, target: TargetName, live: Manifest
    ) -> Around:
        """Read what the object's endpoints are found by, and only that."""
        ref = ObjectRef.of(live)
        kind = (ref.group, ref.kind)
        if kind == SERVICE and (live.get("spec") or {}).get("type") == "NodePort":
            return Around(nodes=self._owned.nodes(context, target))
        if kind != HTTP_ROUTE:
            return Around()
        gateways: dict[tuple[str, str], Manifest] = {}
        for namespace, name in parents_of(live):
            gateway = self._owned.referred(
                context,
                target,
                GATEWAY_VERSION,
                ObjectRef(
                    group="gateway.networking.k8s.io",
                    kind="Gateway",
                    namespace=namespace,
                    name=name,
                ),
            )
            if gateway is not None:
                gateways[namespace, name] = gateway
        return Around(gateways=gateways)


def _is_meant(ref: ObjectRef, properties: CollectProperties) -> bool:
    return properties.name in {None, ref.name} and (
        properties.namespace in {None, ref.namespace}
    )


def _fits(endpoint: Endpoint, properties: CollectProperties) -> bool:
    return properties.port in {None, endpoint.port} and (
        properties.port_name in {None, endpoint.port_name}
    )


def _nothing(
    target: TargetName, known: Sequence[InventoryEntry], properties: CollectProperties
) -> StepResult:
    """Fail: what the environment has delivered is known, so none comes by waiting."""
    there = ", ".join(str(entry.ref) for entry in known) or "none"
    named = f" named {properties.name}" if properties.name else ""
    place = f" in namespace {properties.namespace}" if properties.namespace else ""
    return StepResult(
        phase=Phase.FAILED,
        reason="NoEndpoint",
        message=f"the environment has delivered no Service, Ingress or Gateway{named}"
        f"{place} to {target}; there: {there}",
    )


def _none_fits(
    meant: Sequence[InventoryEntry], found: Sequence[Endpoint]
) -> StepResult:
    ports = dict.fromkeys(
        f"{each.port}" + (f" ({each.port_name})" if each.port_name else "")
        for each in found
    )
    names = _some([str(entry.ref) for entry in meant])
    return StepResult(
        phase=Phase.FAILED,
        reason="NoEndpoint",
        message=f"{names}: no endpoint is as `port`, `portName` and `outer` ask; "
        f"ports there: {', '.join(ports) or 'none'}",
    )


def _collected(chosen: Sequence[Endpoint], properties: CollectProperties) -> StepResult:
    scheme = properties.protocol or ""
    given = [
        {**each.as_json(), "url": each.url(scheme)} for each in chosen[:MOST_ENDPOINTS]
    ]
    first = given[0]
    return StepResult(
        phase=Phase.SUCCEEDED,
        message=_some([str(each["url"]) for each in given]),
        outputs={
            "endpoints": given,
            "value": {"endpoint": first["endpoint"], "url": first["url"]},
        },
    )


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - SHOWN
    text = "; ".join(texts[:SHOWN])
    return f"{text}; and {more} more" if more > 0 else text


def _reads(properties: BaseModel, environment: Environment) -> tuple[TargetName, ...]:
    assert isinstance(properties, CollectProperties)
    if properties.target is not None:
        return (TargetName(properties.target),)
    return environment.targets


def _make(capabilities: Capabilities) -> CollectRunner:
    return CollectRunner(owned_for(capabilities))


STEP_TYPE = StepType(
    name="collect-service-endpoints",
    properties=CollectProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    reads=_reads,
    output_roots=("endpoints", "value"),
    only_tells=True,
    summary="find where what was delivered can be reached",
)
