"""The words that the model and the driver share: commits, folders, entries, steps.

They are values of their own, so that the model knows neither a file format nor one
type of the product. `writing.py` turns them into real Git objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

OPEN, VAULT = "open", "vault"
"""Two targets; a gate of the daemon config may hold the second."""

ASK_TIMEOUT = timedelta(hours=72)
WORK_TIMEOUT = timedelta(minutes=10)
GATE_TIMEOUT = timedelta(days=30)
FINAL_TIMEOUT = timedelta(minutes=10)
BACK_OFF = timedelta(seconds=10)
SLOW, HANGING = timedelta(seconds=30), timedelta(minutes=4)


@dataclass(frozen=True)
class Step:
    """One step; `asks` waits for approval, the others write to a target."""

    name: str
    target: str = OPEN
    asks: bool = False
    unless_rollback: bool = False
    always: bool = False
    retries: int = 0


OUT, LIVE, TELL = Step("out"), Step("live"), Step("tell", always=True)
GO = Step("go-live", asks=True)
FLOWS: Mapping[str, tuple[Step, ...]] = {
    "plain": (OUT,),
    "ask": (OUT, GO, LIVE),
    "skip": (OUT, replace(GO, unless_rollback=True), LIVE),
    "tell": (OUT, GO, LIVE, TELL),
    "twice": (GO, OUT, replace(GO, name="again"), LIVE),
    "checked": (OUT, replace(LIVE, retries=1), TELL),
    "gated": (OUT, Step("into", VAULT), TELL),
    "guarded": (GO, Step("into", VAULT)),
}

Key = tuple[str, str, str, str, int | None]


@dataclass(frozen=True)
class Entry:
    """A line of an approvals file."""

    revision: str
    verb: str = "approve"
    step: str = ""
    by: str = ""
    run: int | None = None
    expires: datetime | None = None
    comment: str = ""

    @property
    def key(self) -> Key:
        return (self.revision, self.step, self.verb, self.by, self.run)


@dataclass(frozen=True)
class Content:
    """An environment's inputs; equal values have equal digests."""

    value: int = 0
    flow: str = "plain"
    outcome: str = "ok"
    commits: str = "every"
    most: int = 10
    after: str = ""
    soak: timedelta = timedelta()
    invalid: bool = False

    def ends(self, step: Step, failures: int, look: int) -> str:
        """What the world makes of a try or a look: `ok`, `fail` or `wait`.

        The content decides about the last step that is not `if: always`.
        """
        if step.name != [s.name for s in FLOWS[self.flow] if not s.always][-1]:
            return "ok"
        if self.outcome == "flaky":
            return "ok" if failures else "fail"
        if self.outcome == "slow":
            return "wait" if look == 0 else "ok"
        return "wait" if self.outcome == "hang" else self.outcome

    @property
    def looks_after(self) -> timedelta:
        return HANGING if self.outcome == "hang" else SLOW


@dataclass(frozen=True)
class Folder:
    """An environment's folder: its inputs, and what is none of them.

    `approvals` are files by name; None stands for one that cannot be read.
    """

    content: Content = Content()
    docs: int = 0
    moved: bool = False
    approvals: Mapping[str, tuple[Entry, ...] | None] = field(default_factory=dict)

    @property
    def entries(self) -> dict[Key, Entry] | None:
        """The entries by key; None where a file cannot be read."""
        found: dict[Key, Entry] = {}
        for name in sorted(self.approvals):
            entries = self.approvals[name]
            if entries is None:
                return None
            for entry in entries:
                found.setdefault(entry.key, entry)
        return found


Tree = Mapping[str, Folder]
"""Folders by the name of their environment."""


@dataclass(frozen=True)
class Commit:
    """A commit; the id is Git's own."""

    sha: str
    parents: tuple[str, ...]
    author: str
    tree: Tree


@dataclass(frozen=True)
class Rules:
    """What the daemon config says: who may approve, how many it takes, the gate."""

    approvers: tuple[str, ...] | None = None
    needed: int = 1
    gate: tuple[str, ...] | None = None
    gate_needed: int = 1
    gate_waives_rollbacks: bool = False
