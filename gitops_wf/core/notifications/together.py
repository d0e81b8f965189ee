"""Several notes in one message: readable, whether they are three or a thousand."""

from collections import Counter
from collections.abc import Sequence

from gitops_wf.core.errors import cut
from gitops_wf.core.notifications.notices import Note

IN_FULL = 10
"""So many are told with why and what to type; a provider takes some 20 kB of text."""

BY_NAME = 40
"""So many more have a line of their own."""

_WHY = 160


def together(notes: Sequence[Note], title: str) -> tuple[str, str]:
    """Return the first line and the text that tell all of it; one is told as it is.

    What somebody must act on comes first, then in the order in which it happened.
    ``title`` is what all have in common.
    """
    if len(notes) == 1:
        return notes[0].subject, notes[0].text
    sorted_ = sorted(notes, key=lambda note: note.weight)
    shared = notes[0] if len({(n.about, n.link) for n in notes}) == 1 else None
    lines = [line for line in (shared.about, shared.link) if line] if shared else []
    for note in sorted_[:IN_FULL]:
        lines += ["", note.subject, *_details(note, is_alone=shared is None)]
    named, rest = (
        sorted_[IN_FULL : IN_FULL + BY_NAME],
        sorted_[IN_FULL + BY_NAME :],
    )
    if named:
        lines += ["", *(cut(note.subject, 100) for note in named)]
    if rest:
        lines += ["", f"and {len(rest)} more: {_counted(rest)}"]
    for command in dict.fromkeys(c for note in (*named, *rest) for c in note.commands):
        if not lines[-1].startswith("  "):
            lines.append("of each:")
        lines.append(f"  {command}")
    return _subject(notes, sorted_, title), "\n".join(lines).strip("\n")


def _details(note: Note, *, is_alone: bool) -> list[str]:
    """Return what stands below a note's first line, set in."""
    own = [note.about, note.link] if is_alone else []
    lines = [*own, cut(note.message, _WHY), cut(note.needs, _WHY), *note.acts]
    return [f"  {line}" for line in lines if line]


def _subject(notes: Sequence[Note], sorted_: Sequence[Note], title: str) -> str:
    places = {note.place for note in notes}
    if len(places) == 1:
        # The newest of what matters most: `prod#12 succeeded`, not `prod#12 created`.
        most = [note for note in notes if note.weight == sorted_[0].weight]
        return most[-1].subject
    return cut(f"{title}: {_counted(sorted_)}")


def _counted(notes: Sequence[Note]) -> str:
    counts = Counter(note.sums for note in notes)
    return ", ".join(f"{count} {words}" for words, count in counts.items())
