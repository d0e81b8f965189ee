"""What a promotion writes: files and fields of one environment into another's folder.

Decisions are never written, and files of the daemon's own (environment.yaml,
workflow.yaml) only where they are named: a promotion brings content, not rules.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gitops_wf.core.commit import CommitInfo, Person
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, Sha
from gitops_wf.core.inputs import ENVIRONMENT, WORKFLOW, is_decision_path
from gitops_wf.core.phases import Reason
from gitops_wf.core.run import Subject
from gitops_wf.delivery.yaml_fields import Scalar, field_at, with_field
from gitops_wf.ports.git_writer import BranchFiles

ID_TRAILER = "Promotion-Id"
FROM_TRAILER = "Promoted-From"
PATH_TRAILER = "Promotion-Path"
HISTORY = timedelta(days=180)
"""How far back the promotion before is looked for, to tell what is new since."""

_CONTROL = frozenset({ENVIRONMENT, WORKFLOW})
_SHOWN_COMMITS = 20
_MOST_PEOPLE = 100
_FROM = re.compile(rf"^{FROM_TRAILER}: \S+ \S*@sha1:([0-9a-f]{{40,64}})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldWish:
    """A field to set: to a value, or to that of a field of the source.

    Files are relative to their folders.
    """

    file: str
    pointer: str
    value: Scalar = None
    from_file: str = ""
    from_pointer: str = ""

    @property
    def is_copied(self) -> bool:
        """Whether the value stands in the source."""
        return bool(self.from_pointer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A folder of a repository."""

    repository: RepositoryName
    folder: str

    def __str__(self) -> str:
        """Return it as trailers name it."""
        return f"{self.repository}:{self.folder}"


def promotion_id(subject: Subject, run_ordinal: int, step: str, to: Destination) -> str:
    """Return what is the same for each repetition of a step of a run.

    Not from the revision's number: after the loss of a store numbers may come again.
    """
    parts = (subject.environment, subject.commit, str(run_ordinal), step, str(to))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFiles(BranchFiles):
    """Files that were read already, by path from the root."""

    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes | None:
        """Return a file; None if there is none."""
        return self.files.get(path)

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Return the paths below a folder."""
        prefix = f"{folder}/" if folder else ""
        return tuple(path for path in self.files if path.startswith(prefix))


def changes(
    source: Mapping[str, bytes],
    there: BranchFiles,
    folder: str,
    *,
    paths: Sequence[str],
    fields: Sequence[FieldWish],
) -> dict[str, bytes | None]:
    """Return the files that a promotion writes, by path from the root; None deletes.

    ``source`` are the files of the environment, relative to its folder. Of a path
    that is promoted, what the source does not have goes. Errors: DefinitionError
    (a field), TerminalError (InvalidDefinition) for a path that leads to nothing.
    """
    prefix = f"{folder}/" if folder else ""
    names = [path.removeprefix(prefix) for path in there.list_files(folder)]
    wanted: dict[str, bytes | None] = {}
    for path in paths:
        brought = {name: data for name, data in source.items() if _is_part(name, path)}
        if not brought:
            raise TerminalError(
                f"paths: the environment has no {cut(path, 120)} that can be promoted",
                reason=Reason.INVALID_DEFINITION,
            )
        wanted |= {name: None for name in names if _is_part(name, path)}
        wanted |= brought
    for wish in fields:
        if not is_promoted(wish.file, is_named=True):
            raise TerminalError(
                f"values: {cut(wish.file, 120)} holds decisions: no step writes those",
                reason=Reason.INVALID_DEFINITION,
            )
        value = wish.value
        if wish.is_copied:
            text = _text(source.get(wish.from_file), wish.from_file)
            value = field_at(wish.from_file, text, wish.from_pointer)
        path = f"{prefix}{wish.file}"
        before = wanted.get(wish.file)
        if before is None:
            before = there.read(path)
        text = with_field(path, _text(before, path), wish.pointer, value)
        wanted[wish.file] = text.encode()
    named = {f"{prefix}{name}": data for name, data in wanted.items()}
    return {path: data for path, data in named.items() if there.read(path) != data}


def check_loop(brought: Sequence[CommitInfo], to: Destination) -> tuple[str, ...]:
    """Return through which folders the content came; refuse to go back to one.

    ``brought`` are the commits that made the revision. Errors: TerminalError
    (PromotionLoop).
    """
    seen = tuple(
        dict.fromkeys(
            place
            for commit in brought
            for value in commit.trailer(PATH_TRAILER)
            for place in value.split()
        )
    )
    if str(to) in seen:
        raise TerminalError(
            f"this content came from {to} by promotion ({' -> '.join(seen)}): to bring"
            " it back there would go on for ever",
            reason="PromotionLoop",
        )
    return seen


def message(
    title: str,
    *,
    subject: Subject,
    id_: str,
    to: Destination,
    path: Sequence[str],
    commits: Sequence[CommitInfo],
) -> str:
    """Return the commit's message: what came, from where, and who wrote it.

    Its authors are co-authors here: whoever may not approve their own work must not
    be able to by way of a promotion.
    """
    told = [
        f"- {cut(commit.subject, 100)} ({commit.sha[:8]})"
        for commit in commits[-_SHOWN_COMMITS:]
    ]
    source = f"{subject.branch}@sha1:{subject.commit}"
    trailers = [
        f"{FROM_TRAILER}: {subject.environment}#{subject.number} {source}",
        promotion_line(subject.environment, to),
        f"{PATH_TRAILER}: {' '.join(path)}",
        f"{ID_TRAILER}: {id_}",
        *(f"Co-authored-by: {person}" for person in _people(commits)),
    ]
    parts = (title.strip(), "\n".join(told), "\n".join(trailers))
    return "\n\n".join(part for part in parts if part)


def promotion_line(environment: EnvironmentId, to: Destination) -> str:
    """Return the trailer that all promotions from one place to another have."""
    return f"Promotion: {environment} to {to}"


def promoted_from(text: str) -> Sha | None:
    """Return the commit that a promotion's message says it brought."""
    found = _FROM.search(text)
    return Sha(found[1]) if found else None


def _people(commits: Sequence[CommitInfo]) -> list[str]:
    found: dict[str, Person] = {}
    for commit in reversed(commits):
        for person in (commit.author, *commit.co_authors):
            found.setdefault(person.email.casefold(), person)
    # The newest first: of very many, those who wrote long ago are left out.
    return [
        f"{cut(person.name, 100)} <{cut(person.email, 200)}>"
        for person in list(found.values())[:_MOST_PEOPLE]
    ]


def is_promoted(path: str, *, is_named: bool = False) -> bool:
    """Whether a file, relative to its environment's folder, may be promoted.

    Decisions of no environment, for one may lie in another's folder.
    """
    parts = path.split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    if any(is_decision_path(tail) for tail in tails):
        return False
    return is_named or path not in _CONTROL


def _is_part(name: str, path: str) -> bool:
    is_below = path in {"", "."} or name == path or name.startswith(f"{path}/")
    return is_below and is_promoted(name, is_named=name == path)


def _text(data: bytes | None, path: str) -> str:
    if data is None:
        raise DefinitionError(path, None, "is not there: a field is set in what is")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise DefinitionError(path, None, "is no UTF-8 text") from exc
