"""What is kept of an environment's past, and what may be forgotten."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gitops_wf.core.revision import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept, of each environment: ``revisions``, ``runs``, ``events``.

    ``messages`` is for how long one that was sent or given up is kept, ``removed``
    for how long an environment or a repository that is gone. What is too much is
    looked for every ``interval``.
    """

    revisions: int = 100
    runs: int = 100
    events: int = 1000
    messages: timedelta = timedelta(days=7)
    removed: timedelta = timedelta(days=30)
    interval: timedelta = timedelta(hours=1)


def expendable(
    beyond: Sequence[Revision],
    *,
    following: int | None,
    barred: Iterable[Revision],
    waited_for: Collection[int],
    keeps_released: bool = True,
) -> tuple[int, ...]:
    """Return the numbers of those revisions beyond the kept ones that may go.

    ``beyond`` are ended ones in order, and ``following`` is the position of the one
    after the last of them, if there is one. Never forgotten are:

    - the released one, which is what runs on the targets, unless nothing does;
    - the newest with inputs that were rejected: they are barred for ever, and it is
      their row that says so (``barred`` are the environment's rejected revisions);
    - one that a revision of another environment waits for: the newest at or before
      one of the positions ``waited_for``.
    """
    bars: dict[str, int] = {}
    for revision in barred:
        bars[revision.inputs] = max(bars.get(revision.inputs, 0), revision.number)
    nexts = [*(revision.position for revision in beyond[1:]), following]
    return tuple(
        revision.number
        for revision, after in zip(beyond, nexts, strict=True)
        if not (revision.released and keeps_released)
        and not (revision.barred and bars[revision.inputs] == revision.number)
        and not any(
            revision.position <= place and (after is None or place < after)
            for place in waited_for
        )
    )
