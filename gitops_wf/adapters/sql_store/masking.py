"""Which texts of a stored value are masked: those that others' words may get into.

Names, ids, commits and what a workflow declares are not: they are Git's own content,
and the daemon would no longer find what it stored under them.
"""

from dataclasses import replace
from functools import singledispatchmethod
from typing import TypeVar

from gitops_wf.core.decision import Decision
from gitops_wf.core.event import Event
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.pause import Pause
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.upkeep.differing import FieldDrift
from gitops_wf.core.upkeep.findings import Drifted
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import EnvironmentRecord, RepositoryRecord, TargetRecord

Value = TypeVar("Value")


class Masked:
    """Gives a value as it is stored; a type that is not named here is our bug."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._text = redactor.text
        self._plain = redactor.value

    @singledispatchmethod
    def of(self, value: Value) -> Value:
        """Return the value with its texts masked."""
        raise TypeError(f"not known which texts of a {type(value).__name__} to mask")

    @of.register
    def _(self, value: RepositoryRecord) -> RepositoryRecord:
        return replace(value, condition=self._text(value.condition))

    @of.register
    def _(self, value: TargetRecord) -> TargetRecord:
        return replace(value, error=self._text(value.error))

    @of.register
    def _(self, value: EnvironmentRecord) -> EnvironmentRecord:
        if not value.conditions:
            return value
        conditions = {kind: self._text(text) for kind, text in value.conditions.items()}
        return replace(value, conditions=conditions)

    @of.register
    def _(self, value: Revision) -> Revision:
        return replace(
            value,
            message=self._text(value.message),
            subject=self._text(value.subject),
        )

    @of.register
    def _(self, value: Run) -> Run:
        ending = value.ending
        return replace(
            value,
            message=self._text(value.message),
            subject=replace(value.subject, subject=self._text(value.subject.subject)),
            steps=tuple(self.of(step) for step in value.steps),
            ending=ending and replace(ending, message=self._text(ending.message)),
        )

    @of.register
    def _(self, value: StepRun) -> StepRun:
        if not (value.message or value.outputs or value.objects):
            return value
        return replace(
            value,
            message=self._text(value.message),
            outputs=self._plain(value.outputs),
            objects=tuple(
                replace(each, message=self._text(each.message))
                for each in value.objects
            ),
        )

    @of.register
    def _(self, value: Decision) -> Decision:
        return replace(
            value,
            entry=replace(value.entry, comment=self._text(value.entry.comment)),
            reason=self._text(value.reason),
            counts_for=self._plain(value.counts_for),
        )

    @of.register
    def _(self, value: Event) -> Event:
        return replace(
            value,
            message=self._text(value.message),
            metadata=self._plain(value.metadata),
        )

    @of.register
    def _(self, value: Delivery) -> Delivery:
        message = value.message
        return replace(
            value,
            message=replace(message, payload=self._plain(message.payload)),
            detail=self._text(value.detail),
        )

    @of.register
    def _(self, value: Notice) -> Notice:
        note = value.note
        return replace(
            value,
            note=replace(
                note,
                headline=self._text(note.headline),
                about=self._text(note.about),
                message=self._text(note.message),
            ),
            data=self._plain(value.data),
        )

    @of.register
    def _(self, value: Pause) -> Pause:
        return replace(value, reason=self._text(value.reason))

    @of.register
    def _(self, value: UpkeepState) -> UpkeepState:
        return replace(
            value,
            drifted=tuple(self.of(each) for each in value.drifted),
            ailing=tuple(
                replace(
                    each,
                    status=replace(
                        each.status, message=self._text(each.status.message)
                    ),
                )
                for each in value.ailing
            ),
            held=self._text(value.held),
            problem=self._text(value.problem),
        )

    @of.register
    def _(self, value: Drifted) -> Drifted:
        return replace(
            value,
            fields=tuple(self.of(each) for each in value.fields),
            note=self._text(value.note),
        )

    @of.register
    def _(self, value: FieldDrift) -> FieldDrift:
        return replace(
            value,
            desired=self._plain(value.desired),
            live=self._plain(value.live),
        )
