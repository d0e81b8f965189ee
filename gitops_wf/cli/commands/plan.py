"""`plan` and `diff`: what a commit would do, before anybody merges it.

Only the options stand here: what it takes to plan is imported when it is asked for.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitops_wf.cli.options import ConfigOption, Output, OutputOption
from gitops_wf.cli.place import FOLDER, Told, find, noted
from gitops_wf.cli.printing import print_value
from gitops_wf.cli.table import console
from gitops_wf.core.errors import GitOpsError

if TYPE_CHECKING:
    from rich.text import Text

    from gitops_wf.services.plan_views import PlannedCommit

CHANGES, WRONG = 1, 2

EnvironmentsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ENV]...", help="Only these environments.", show_default=False
    ),
]
CommitOption = Annotated[
    str,
    typer.Option(
        metavar="REV|A..B",
        help="A commit or branch, or what B adds to A; else the work tree as it is.",
        show_default=False,
    ),
]
AgainstOption = Annotated[
    str,
    typer.Option(
        metavar="REV",
        help="What it would be merged into; else the watched branch, as fetched last.",
        show_default=False,
    ),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TARGET", help="Only what goes to this target; may be given again."
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Environments that do not change, too.")
]
RepositoryOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Which of the config's repositories; else the one around this directory.",
        show_default=False,
    ),
]
SandboxOption = Annotated[
    bool,
    typer.Option(
        "--sandbox", help="Without a config: against the sandbox of `run --sandbox`."
    ),
]


def plan(
    environments: EnvironmentsArgument = None,
    commit: CommitOption = "",
    against: AgainstOption = "",
    target: TargetOption = None,
    all_: AllOption = False,
    repository: RepositoryOption = "",
    sandbox: SandboxOption = False,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a commit would do: revisions, steps, approvals, objects.

    A branch is planned as if it were merged now, changes that are not committed
    included. Nothing is written: clusters are asked by dry runs. Exit codes: 0
    nothing would happen, 1 something would, 2 something is wrong.
    """
    from gitops_wf.cli.plan_text import plan_lines

    with _errors():
        found = _found(
            config,
            sandbox=sandbox,
            commit=commit,
            against=against,
            environments=tuple(environments or ()),
            targets=tuple(target or ()),
            repository=repository,
            all_=all_,
        )
        _print(found, output, plan_lines, lambda each: each.as_json())
        would = any(each.what != "unchanged" for each in found.environments)
    raise typer.Exit(_code(found, would=would or _differs(found)))


def diff(
    environments: EnvironmentsArgument = None,
    commit: CommitOption = "",
    against: AgainstOption = "",
    target: TargetOption = None,
    all_: AllOption = False,
    repository: RepositoryOption = "",
    sandbox: SandboxOption = False,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how a commit would change objects: live against what would be applied.

    What the server would make of each, defaults and other managers' fields included.
    Values of Secrets are masked. Exit codes: 0 no object differs, 1 one does, 2
    something is wrong.
    """
    from gitops_wf.cli.diff_text import diff_json, diff_lines

    with _errors():
        found = _found(
            config,
            sandbox=sandbox,
            commit=commit,
            against=against,
            environments=tuple(environments or ()),
            targets=tuple(target or ()),
            repository=repository,
            all_=all_,
        )
        _print(found, output, diff_lines, diff_json)
    raise typer.Exit(_code(found, would=_differs(found)))


def _found(config: Path | None, *, sandbox: bool, **question: Any) -> "PlannedCommit":
    """Plan, and tell on a terminal how it goes."""
    from gitops_wf.bootstrap.planning import Question, plan_commit
    from gitops_wf.bootstrap.process import REDACTOR

    if sandbox and config is not None:
        raise typer.BadParameter("--sandbox needs no --config: name one of the two")
    told = _sandboxed() if sandbox else find(config)
    loaded = told.load()
    with _progress() as progress:
        return plan_commit(loaded, Question(**question), Path.cwd(), REDACTOR, progress)


def _sandboxed() -> Told:
    """Return what `run --sandbox --repo` would be told of this directory."""
    from gitops_wf.bootstrap.writing import repository_of

    told = noted()
    if told is not None and told.repository is not None:
        return told
    repository, branch = repository_of(Path.cwd())
    if branch is None:
        raise typer.BadParameter(
            "--sandbox: this is no repository with a branch checked out"
        )
    made = Told(directory=Path.cwd() / FOLDER, repository=repository, branch=branch)
    made.remember()  # else the sandbox's files would be taken for the repository's
    return made


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done, on a terminal and beside what is printed."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading the commit") as status:
        yield status.update


def _print(
    found: "PlannedCommit",
    output: Output,
    lines: Callable[["PlannedCommit"], Iterable["Text"]],
    as_json: Callable[["PlannedCommit"], Any],
) -> None:
    """Print what was found, without the secrets that were met on the way."""
    from gitops_wf.bootstrap.process import REDACTOR

    if output is not Output.TABLE:
        print_value(REDACTOR.value(as_json(found)), output)
        return
    out = console()
    for line in lines(found):
        masked = REDACTOR.text(line.plain)
        # A line that held one loses its colours: they are counted by letters.
        out.print(line if masked == line.plain else masked)


def _differs(found: "PlannedCommit") -> bool:
    return any(each.is_different for env in found.environments for each in env.objects)


def _code(found: "PlannedCommit", *, would: bool) -> int:
    if found.is_wrong:
        return WRONG
    return CHANGES if would else 0


@contextmanager
def _errors() -> Iterator[None]:
    """Turn an error into what is told of it, and the exit code that is its own."""
    from gitops_wf.bootstrap.process import REDACTOR

    try:
        yield
    except GitOpsError as error:
        print(REDACTOR.text(f"gitops-wf: {error}"), file=sys.stderr)
        raise typer.Exit(WRONG) from error
    except ExceptionGroup as group:
        wrong, others = group.split(GitOpsError)
        if others is not None or wrong is None:
            raise
        for each in wrong.exceptions:
            print(REDACTOR.text(str(each)), file=sys.stderr)
        raise typer.Exit(WRONG) from group
