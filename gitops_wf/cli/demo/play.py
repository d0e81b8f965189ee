"""The demo from its first act to the last, and everything cleaned up after it."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from gitops_wf.cli.demo.stage import Stage
from gitops_wf.cli.demo.story import Story, print_proofs
from gitops_wf.cli.demo.teller import Teller
from gitops_wf.cli.table import console


def play(*, auto: bool, keep: Path | None) -> bool:
    """Play it, and say whether every promise was kept."""
    out = console()
    asks = not auto and sys.stdin.isatty() and sys.stdout.isatty()
    teller = Teller(out, asks=asks)
    started = time.monotonic()
    # Whoever ends the demo, its processes end with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with _directory(keep) as directory:
        stage = Stage(directory)
        is_done = False
        try:
            story = Story(stage, teller)
            proofs = story.play()
            teller.title("What the daemon says: gitops-wf get revisions")
            story.print_revisions()
            teller.title(f"What was promised, in {time.monotonic() - started:.0f}s")
            print_proofs(proofs)
            is_done = all(proof.is_kept for proof in proofs)
            if asks:
                _invite(teller, stage)
                teller.pause("end the daemon" if keep else "clean up")
        except KeyboardInterrupt:
            is_done = False
            teller.say("\n  interrupted: ending the daemon and the sandbox …", "dim")
            raise
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            stage.stop(keep_sandbox=keep is not None and is_done)
        if keep is not None:
            _tell_what_is_left(teller, stage, is_running=is_done)
    return is_done


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(
        prefix="gitops-wf-demo-", ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def program() -> str:
    """Return how this program is called here: by name if the PATH has it."""
    name = "gitops-wf"
    here = Path(sys.argv[0])
    if shutil.which(name) is None and here.name == name and here.exists():
        return str(here.absolute())
    return name


def _invite(teller: Teller, stage: Stage) -> None:
    teller.title("Go on by hand, in another terminal")
    _commands(teller, stage)
    teller.say(f"  cd {stage.work_tree}   # commit, push, and watch")


def _commands(teller: Teller, stage: Stage) -> None:
    teller.say(f"  cd {stage.directory}")
    us = program()
    teller.say(f"  {us} get environments; {us} describe prod")
    teller.say(f"  kubectl --kubeconfig {stage.kubeconfig} get deploy,pods -A")


def _tell_what_is_left(teller: Teller, stage: Stage, *, is_running: bool) -> None:
    teller.title(f"Left in {stage.directory}")
    teller.fact("repository", stage.repository)
    teller.fact("work tree", stage.work_tree)
    teller.fact("config", stage.config)
    teller.fact("store", stage.directory / "gitops-wf.db")
    teller.fact("kubeconfig", stage.kubeconfig)
    us = program()
    if is_running:
        _commands(teller, stage)
        teller.say(f"  {us} run --config {stage.config}   # the daemon again")
        teller.say("The sandbox still runs; stop it, and start it again, with")
        teller.say(f"  {us} sandbox stop --dir {stage.sandbox}")
    else:
        teller.say("The daemon and the sandbox were stopped; start the sandbox with")
    teller.say(f"  {us} sandbox start --dir {stage.sandbox}")
