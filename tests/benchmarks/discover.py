"""How long it takes to catch up with commits, beside what git alone takes.

    python -m tests.benchmarks.discover [COMMITS] [ENVIRONMENTS] [--profile]

Prints the time of one poll that is COMMITS behind, of bare `git fetch` + `git log`
of the same commits on this machine, and the ratio.
"""

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

import structlog

from tests.gitworktree import bare_repository, run_git
from tests.releases import ReleaseLine

PLAIN = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps: [{name: deploy, type: deploy2env}]
"""


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", type=int, nargs="?", default=1000)
    parser.add_argument("environments", type=int, nargs="?", default=1)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30), processors=[]
    )
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Fall behind, catch up, and let git do so, too."""
    line = ReleaseLine(folder)
    line.commit(
        {f"envs/e{n}/workflow.yaml": PLAIN for n in range(arguments.environments)}
    )
    line.settle()
    bare = bare_repository(folder / "bare.git")
    run_git(bare, "remote", "add", "origin", line.remote.as_uri())
    fetch = ("fetch", "-q", "origin", "main")
    run_git(bare, *fetch)
    before = run_git(bare, "rev-parse", "FETCH_HEAD")
    line.work.import_commits(
        [
            (f"envs/e{n % arguments.environments}/cm.yaml", f"a: {n}\n")
            for n in range(arguments.commits)
        ]
    )
    line.work.push()
    git = timed(lambda: catch_up(bare, fetch, before))
    profile = cProfile.Profile()
    if arguments.profile:
        profile.enable()
    ours = timed(line.poll)
    if arguments.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    made = sum(len(line.revisions(f"e{n}")) for n in range(arguments.environments))
    line.close()
    sys.stdout.write(
        f"{arguments.commits} commits, {arguments.environments} environments:"
        f" poll {ours:.2f} s, git {git:.2f} s, ratio {ours / git:.1f};"
        f" {made} revisions, {arguments.commits / ours:.0f} commits/s\n"
    )


def catch_up(bare: Path, fetch: tuple[str, ...], before: str) -> None:
    """What git alone does: fetch, and list what came."""
    run_git(bare, *fetch)
    run_git(bare, "log", "--first-parent", "--raw", f"{before}..FETCH_HEAD")


def timed(work) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
