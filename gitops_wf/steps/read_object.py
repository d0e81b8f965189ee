"""read-object: reads one object of a target, and gives it to later steps."""

from datetime import timedelta
from typing import Literal, cast

from pydantic import BaseModel, Field

from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.delivery import (
    ObjectProperties,
    ObjectReader,
    read_targets,
    reader_for,
    told,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class ReadObjectProperties(ObjectProperties):
    """What the step takes."""

    if_missing: Literal["fail", "succeed"] = Field(
        default="fail",
        description="What an object that is not there makes of the step; after "
        "`succeed`, output.value is null and output.err says that it is missing.",
    )


class ReadObjectRunner:
    """Looks once; what was found is the step's output."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def attempt(self, context: StepContext) -> StepResult:
        """Read the object."""
        properties = cast("ReadObjectProperties", context.properties)
        found = self._reader.read(context, properties)
        if found.manifest is None:
            fails = properties.if_missing == "fail"
            return StepResult(
                phase=Phase.FAILED if fails else Phase.SUCCEEDED,
                reason="NotFound",
                message=found.missing,
                outputs={
                    "output": {"value": None, "err": found.missing},
                    "found": False,
                    "health": str(found.status.health),
                },
            )
        text = found.status.message
        return StepResult(
            phase=Phase.SUCCEEDED,
            message=f"{found.ref} is {found.status.health}"
            + (f": {text}" if text else ""),
            outputs={
                "output": {"value": told(found.manifest), "err": ""},
                "found": True,
                "health": str(found.status.health),
            },
        )

    def plan(self, context: StepContext) -> Planned:
        """Return what it reads."""
        properties = cast("ReadObjectProperties", context.properties)
        return Planned(effects=(f"reads {properties}",))

    def look(self, context: StepContext) -> StepResult:
        """Read it again: an attempt never asks for a look."""
        return self.attempt(context)


def _reads(properties: BaseModel, environment: Environment) -> tuple[TargetName, ...]:
    assert isinstance(properties, ReadObjectProperties)
    return read_targets(properties, environment)


def _make(capabilities: Capabilities) -> ReadObjectRunner:
    return ReadObjectRunner(reader_for(capabilities))


STEP_TYPE = StepType(
    name="read-object",
    properties=ReadObjectProperties,
    make=_make,
    default_timeout=timedelta(minutes=5),
    reads=_reads,
    output_roots=("output", "found", "health"),
    only_tells=True,
    summary="read one object of a target, and give it to later steps",
)
