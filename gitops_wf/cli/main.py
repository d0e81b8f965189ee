"""The entry point: the tree of commands, and what an error becomes.

Exit codes: 0 done · 1 the thing asked about failed · 2 usage · 3 a bug of ours, with
the path of a log · 124 a time limit was reached · 130 interrupted. `run` ends with 0
when SIGTERM told it to; a second signal ends it as the signal itself does (143). `plan`
and `diff` say 1 for changes and 2 for whatever is wrong.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import typer

from gitops_wf.bootstrap.process import REDACTOR
from gitops_wf.cli.commands import brake, check, decide, get, look, sandbox
from gitops_wf.cli.commands.init import init
from gitops_wf.cli.commands.notify import notify_test
from gitops_wf.cli.commands.plan import diff, plan
from gitops_wf.cli.commands.run import run as run_daemon
from gitops_wf.cli.commands.wait import wait
from gitops_wf.cli.demo.command import demo
from gitops_wf.core.errors import GitOpsError


@runtime_checkable
class UsageProblem(Protocol):
    """What every error of the command line's parser has, in whichever package."""

    exit_code: int

    def show(self) -> None:
        """Print the usage and what is wrong with it."""


FAILED, BUG, INTERRUPTED = 1, 3, 130

app = typer.Typer(
    name="gitops-wf",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Git alone runs a release: a push deploys, an approval commit resumes, a"
    " revert rolls back.",
)


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    print(version_of("gitops-wf"))


def _version_asked(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Print the version.",
            callback=_version_asked,
            is_eager=True,
        ),
    ] = False,
) -> None: ...


app.command()(init)
app.command()(demo)
app.command(name="run")(run_daemon)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(get.app, name="get")
for command in (
    *(plan, diff),
    *(look.describe, look.history, look.events, wait),
    *(brake.pause, brake.resume),
    *(decide.approve, decide.reject, decide.retry, decide.redeploy, decide.abort),
    *(
        decide.rollback,
        check.validate,
        check.schema,
        check.health,
        notify_test,
        version,
    ),
):
    app.command()(command)


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], tree: Callable[..., Any] | None = None) -> int:
    """Carry out one command of the tree, ours unless said; return its exit code."""
    try:
        command = tree or typer.main.get_command(app).main
        code = command(
            args=list(arguments), prog_name="gitops-wf", standalone_mode=False
        )
    except (typer.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            print(file=sys.stderr)  # the shell's prompt does not follow our ^C
        return INTERRUPTED
    except GitOpsError as exc:
        print(REDACTOR.text(f"gitops-wf: {exc}"), file=sys.stderr)
        return FAILED
    except ExceptionGroup as group:
        # One error a line, as a compiler prints them; anything else in it is a bug.
        wrong, others = group.split(GitOpsError)
        if others is not None or wrong is None:
            print(_bug(group, arguments), file=sys.stderr)
            return BUG
        for each in wrong.exceptions:
            print(REDACTOR.text(str(each)), file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # What reads us is gone (`| head`); the interpreter must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as exc:  # whatever else it is, it is a bug of ours
        if isinstance(exc, UsageProblem):
            exc.show()
            return exc.exit_code
        print(_bug(exc, arguments), file=sys.stderr)
        return BUG
    return code if isinstance(code, int) else 0


def _bug(exc: Exception, arguments: Sequence[str]) -> str:
    """Write the traceback to a file, and return what to tell the user."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="gitops-wf-bug-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(REDACTOR.text(f"arguments: {list(arguments)}\n"))
        log.write(REDACTOR.text("".join(traceback.format_exception(exc))))
    return (
        REDACTOR.text(f"gitops-wf: a bug: {type(exc).__name__}: {exc}\n")
        + f"the details are in {Path(log.name)}; please report them"
    )
