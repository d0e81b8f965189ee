"""export2config: keeps values in a ConfigMap on a target."""

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

from pydantic import Field

from gitops_wf.delivery import (
    Given,
    GivenRunner,
    Order,
    TargetProperties,
    all_at_once,
    chosen_targets,
    delivery_for,
    given_object,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepType


class Export2ConfigProperties(TargetProperties):
    """What the step takes; the names are KubeVela's."""

    config_name: str = Field(description="Name of the ConfigMap.")
    namespace: str | None = Field(
        default=None, description="Its namespace; default: the target's."
    )
    data: Mapping[str, str] = Field(
        description="Its values by key, all of them text; no secrets here."
    )
    force: bool = Field(
        default=False, description="Delete and recreate it where it is immutable."
    )
    force_conflicts: bool = Field(
        default=False, description="Take over keys that other managers own."
    )


def gives(context: StepContext, _order: Order) -> Given:
    """Return the ConfigMap."""
    properties = cast("Export2ConfigProperties", context.properties)
    metadata = {"name": properties.config_name}
    if properties.namespace:
        metadata["namespace"] = properties.namespace
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": dict(properties.data),
    }
    return Given(
        source=given_object(manifest, str(context.step)),
        force=properties.force,
        force_conflicts=properties.force_conflicts,
    )


def _make(capabilities: Capabilities) -> GivenRunner:
    return GivenRunner(capabilities.shared(delivery_for), gives)


STEP_TYPE = StepType(
    name="export2config",
    properties=Export2ConfigProperties,
    make=_make,
    default_timeout=timedelta(minutes=5),
    targets=chosen_targets,
    at_once=all_at_once,
    output_roots=("changes", "digest", "output"),
    owns_objects=True,
    summary="keep values in a ConfigMap on a target",
)
