"""Commits as `git log` prints them, and the walks that are worked out from parents."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from gitops_wf.core.commit import CommitInfo, Person
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import History

# One field a line; none of them can hold a line end, save the last.
_FIELDS = ("%H", "%P", "%T", "%an", "%ae", "%at", "%cn", "%ce", "%ct")
_TRAILERS = "%(trailers:only=true,unfold=true,separator=%x1e,key_value_separator=%x1f)"
LOG_FORMAT = "--format=tformat:" + "%n".join((*_FIELDS, _TRAILERS, "%s", "%b"))
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def parsed_log(output: bytes) -> tuple[CommitInfo, ...]:
    """The commits of `git log -z` in `LOG_FORMAT`."""
    text = output.decode("utf-8", "replace")
    return tuple(_commit(record) for record in text.split("\0") if record.strip())


def _commit(record: str) -> CommitInfo:
    sha, parents, tree, an, ae, at, cn, ce, ct, trailers, subject, body = record.split(
        "\n", 11
    )
    return CommitInfo(
        sha=Sha(sha),
        parents=tuple(Sha(parent) for parent in parents.split()),
        tree=Oid(tree),
        author=Person(name=an, email=ae),
        authored_at=_date(at),
        committer=Person(name=cn, email=ce),
        committed_at=_date(ct),
        subject=subject,
        body=body.rstrip("\n"),
        trailers=tuple(_trailers(trailers)),
    )


def _date(seconds: str) -> datetime:
    """A commit's date; one that no calendar has (they are not checked) is clamped."""
    try:
        return datetime.fromtimestamp(int(seconds or 0), UTC)
    except (ValueError, OverflowError, OSError):
        return _LATEST


def _trailers(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\x1e") if text else ():
        key, found, value = line.partition("\x1f")
        if found:
            yield key.strip(), value.strip()


def descending_chain(
    parents: dict[Sha, tuple[Sha, ...]], since: Sha, head: Sha
) -> tuple[Sha, ...] | None:
    """First-parent commits from `head` that descend from `since`, oldest first.

    `parents` holds every commit of `since..head`, children before parents. None when
    `since` is no ancestor. Worked out here because `git log --first-parent
    --ancestry-path` (2.39) loses a merge whose way to `since` leads through another
    commit of its second parent.
    """
    if since == head:
        return ()
    descends = {since}
    for sha in reversed(parents):
        if not descends.isdisjoint(parents[sha]):
            descends.add(sha)
    if head not in descends:
        return None
    chain = []
    at: Sha | None = head
    while at is not None and at in descends and at != since:
        chain.append(at)
        at = next(iter(parents[at]), None)
    return tuple(reversed(chain))


def history(
    parents: Mapping[Sha, Sequence[Sha]], head: Sha, touched: Sequence[Sha]
) -> History:
    """The way to `head`, and which of its first-parent commits brought those touched.

    `parents` holds every commit that leads to `head`; `touched` stands parents before
    children. A side commit was brought by the first of the chain that reaches it.
    """
    chain = [head]
    while first := next(iter(parents[chain[-1]]), None):
        chain.append(first)
    chain.reverse()
    brought_by = {sha: sha for sha in chain}
    for merge in chain:
        pending = list(parents[merge][1:])
        while pending:
            sha = pending.pop()
            if sha not in brought_by:
                brought_by[sha] = merge
                pending.extend(parents[sha])
    found: dict[Sha, list[Sha]] = {}
    for sha in touched:
        found.setdefault(brought_by[sha], []).append(sha)
    order = {sha: place for place, sha in enumerate(chain)}
    return History(
        chain=tuple(chain),
        brought={
            sha: tuple(found[sha]) for sha in sorted(found, key=order.__getitem__)
        },
    )
