"""Who is told what the daemon did, to count it; nothing depends on an answer."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.core.message import Delivery
from gitops_wf.core.run import Run, StepRun


class Observer(Protocol):
    """Counts; called from any thread, after what it is told of has been stored."""

    def run_ended(self, run: Run) -> None:
        """Take note of a run that reached its final phase."""

    def step_ended(self, step: StepRun) -> None:
        """Take note of a step run that reached its final phase."""

    def delivery_ended(self, delivery: Delivery) -> None:
        """Take note of a message that was sent, or given up."""

    def asked_remote(
        self, repository: RepositoryName, request: str, *, succeeded: bool
    ) -> None:
        """Take note of a request to a Git remote: ``ls-remote`` or ``fetch``."""

    def polled(self, repository: RepositoryName, *, succeeded: bool) -> None:
        """Take note of a poll that has ended."""

    def compared(self, target: TargetName, *, succeeded: bool) -> None:
        """Take note of a comparison of a released revision with a target."""

    def healed(self, target: TargetName, *, succeeded: bool) -> None:
        """Take note that what drifted on a target was applied again, or was not."""

    def kept_house(
        self, deleted: Mapping[str, int], took: timedelta, *, succeeded: bool
    ) -> None:
        """Take note of a round of housekeeping, and of what it deleted, by what."""


class Unobserved:
    """The Observer where nobody asks for counts."""

    def run_ended(self, run: Run) -> None:
        """Leave it uncounted."""

    def step_ended(self, step: StepRun) -> None:
        """Leave it uncounted."""

    def delivery_ended(self, delivery: Delivery) -> None:
        """Leave it uncounted."""

    def asked_remote(
        self, repository: RepositoryName, request: str, *, succeeded: bool
    ) -> None:
        """Leave it uncounted."""

    def polled(self, repository: RepositoryName, *, succeeded: bool) -> None:
        """Leave it uncounted."""

    def compared(self, target: TargetName, *, succeeded: bool) -> None:
        """Leave it uncounted."""

    def healed(self, target: TargetName, *, succeeded: bool) -> None:
        """Leave it uncounted."""

    def kept_house(
        self, deleted: Mapping[str, int], took: timedelta, *, succeeded: bool
    ) -> None:
        """Leave it uncounted."""
