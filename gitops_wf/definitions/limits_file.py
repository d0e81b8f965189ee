"""The shape of the daemon config's limits: rendering, work at once, what is kept."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gitops_wf.core.concurrency import Concurrency
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.retention import Retention
from gitops_wf.core.sizes import Size
from gitops_wf.definitions.fields import (
    Bytes,
    Part,
    Places,
    PositiveCount,
    PositiveSpan,
    Span,
    sizes,
    spans,
)

_KEPT = Retention()


class RetentionPart(Part):
    """How much of the past is kept."""

    revisions: PositiveCount = Field(
        default=_KEPT.revisions,
        description="The newest revisions that are kept of each environment, with their"
        " decisions; a rollback can go back to any of them.",
    )
    runs: PositiveCount = Field(
        default=_KEPT.runs,
        description="The newest runs that are kept of each environment, with their"
        " steps and messages.",
    )
    events: PositiveCount = Field(
        default=_KEPT.events,
        description="The newest events that are kept of each environment.",
    )
    messages: PositiveSpan = Field(
        default=_KEPT.messages,
        description="How long messages are kept that were sent or given up.",
    )
    removed: PositiveSpan = Field(
        default=_KEPT.removed,
        description="How long environments are kept whose folder is gone, and"
        " repositories that left this file, with their clones.",
    )
    interval: PositiveSpan = Field(
        default=_KEPT.interval,
        description="Time between two looks for what is too much.",
    )


_LIMITS = RenderLimits()
_PLACES = Concurrency()
_LEAST_SPAN = timedelta(seconds=1)
_LEAST_OUTPUT = Size(64 << 10)
_LEAST_MEMORY = Size(64 << 20)
"""Less holds none of the tools themselves."""


class RenderersPart(Part):
    """What rendering one environment may cost: with Helm, kustomize or SOPS."""

    timeout: Annotated[Span, spans(_LEAST_SPAN, timedelta(hours=1))] = Field(
        default=_LIMITS.timeout, description="Its time in all."
    )
    cpu: Annotated[Span, spans(_LEAST_SPAN, timedelta(hours=1))] = Field(
        default=_LIMITS.cpu, description="Its processor time, in whole seconds."
    )
    memory: Annotated[Bytes, sizes(_LEAST_MEMORY, Size(64 << 30))] = Field(
        default=_LIMITS.memory, description="Its memory, from 64Mi to 64Gi."
    )
    output: Annotated[Bytes, sizes(_LEAST_OUTPUT, Size(64 << 20))] = Field(
        default=_LIMITS.output,
        description="What it may write, from 64Ki to 64Mi; of one file 8Mi are read.",
    )


class ConcurrencyPart(Part):
    """How much is carried out at the same time."""

    at_once: Places = Field(
        default=_PLACES.at_once,
        description="Attempts and looks of steps with a target; as many of all else.",
    )
    per_target: Places = Field(
        default=_PLACES.per_target,
        description="How many of them one target may have, so that one which hangs"
        " leaves the others room.",
    )
