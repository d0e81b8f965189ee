"""What the daemon forgets of its past, and what it never does."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_wf.adapters.git_cli.folder import CloneFolder, clone_at
from gitops_wf.adapters.sql_store import schema
from gitops_wf.core.errors import TransientError
from gitops_wf.core.identifiers import RepositoryName
from gitops_wf.core.retention import Retention
from gitops_wf.ports.store import RepositoryRecord
from gitops_wf.services.housekeeping import Housekeeping
from tests.gitworktree import ANN
from tests.releases import APPROVAL_WORKFLOW, REPOSITORY, ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\n"
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
PLAIN = HEAD + (
    "steps:\n  - {name: out, type: deploy2env, properties: {target: cluster}}\n"
)


class Told:
    """An observer of housekeeping: what it deleted, and how each round went."""

    def __init__(self) -> None:
        self.deleted: list[Mapping[str, int]] = []
        self.succeeded: list[bool] = []

    def kept_house(self, deleted, took, *, succeeded: bool) -> None:
        self.deleted.append({k: v for k, v in deleted.items() if v})
        self.succeeded.append(succeeded)


class NothingExecuted:
    """An executor that has nothing to forget."""

    def forget_finished(self, before, *, limit: int) -> int:
        return 0


class NoClones:
    """A folder without clones."""

    def forget(self, keep, before, *, damaged_before) -> int:
        return 0


def housekeeping(
    line: ReleaseLine, clones=None, *, watched=None, told=None, stop_after=10**9, **kept
) -> Housekeeping:
    pieces = iter(range(stop_after))
    return Housekeeping(
        retention=Retention(**kept),
        store=line.store,
        clock=line.clock,
        executor=NothingExecuted(),
        repositories=(line.watched,) if watched is None else watched,
        clones=clones or NoClones(),
        observer=told or Told(),
        rest=lambda _: next(pieces, None) is None,
    )


def begin(line, name="prod", *, workflow=PLAIN, extra="", **files):
    folder = f"envs/{name}"
    return line.commit(
        {
            f"{folder}/environment.yaml": f"{ENVIRONMENT}{extra}",
            f"{folder}/workflow.yaml": workflow,
            f"{folder}/cm.yaml": "a: 1\n",
            **files,
        }
    )


def change(line, value, name="prod"):
    return line.commit({f"envs/{name}/cm.yaml": f"a: {value}\n"})


def numbers(line, name="prod"):
    return [revision.number for revision in line.revisions(name)]


def counts(line) -> dict[str, int]:
    """Rows of each table that grows with what happens."""
    tables = (
        *(schema.revision, schema.run, schema.step_run),
        *(schema.decision, schema.event, schema.outbox),
    )
    with line.store.read() as reader:
        return {
            table.name: len(reader.connection.execute(table.select()).all())
            for table in tables
        }


def test_four_hundred_revisions_later_the_store_and_the_clone_have_stopped_growing(
    line, tmp_path
):
    begin(line, extra="commits: strict\n")
    line.settle()
    told = Told()
    keeping = housekeeping(line, told=told, revisions=10, runs=10, events=50)
    rows, bytes_, refs = [], [], []
    for batch in range(8):
        line.work.import_commits(
            [("envs/prod/cm.yaml", f"a: {batch}.{n}\n") for n in range(50)]
        )
        line.work.push()
        line.settle()
        assert line.revisions("prod")[-1].phase == "Succeeded"
        assert keeping.act()
        rows.append(counts(line))
        bytes_.append((tmp_path / "store.db").stat().st_size)
        refs.append(len(line.git.held()))

    assert line.revisions("prod")[-1].number == 401
    assert all(found == rows[0] for found in rows)
    assert rows[0] == {
        "revision": 10,
        "run": 10,
        "step_run": 10,
        "decision": 0,
        "event": 50,
        "outbox": 0,
    }
    assert refs == [10] * 8
    assert bytes_[-1] <= 1.1 * bytes_[1]
    assert told.succeeded == [True] * 8
    assert told.deleted[-1]["revisions"] == 50


def test_what_has_not_ended_and_what_is_released_stay(line):
    begin(line, extra="commits: strict\n")
    line.settle()
    for value, outcome in ((2, "fail"), (3, "fail"), (4, "hold"), (5, "ok"), (6, "ok")):
        files = {"cm.yaml": f"a: {value}\n", "outcome": f"{outcome}\n"}
        line.commit({f"envs/prod/{name}": text for name, text in files.items()})
    line.settle()
    phases = ["Succeeded", "Failed", "Failed", "Running", "Pending", "Pending"]
    assert [phase.partition("/")[0] for phase in line.phases("prod")] == phases

    housekeeping(line, revisions=1, runs=1, events=1).act()

    assert numbers(line) == [1, 4, 5, 6]
    assert line.revisions("prod")[0].released
    assert line.run("prod", 1).phase == "Succeeded"
    line.wait(timedelta(hours=1))
    assert line.phases("prod")[-1] == "Succeeded"


def test_a_rollback_goes_back_to_any_revision_that_is_kept(line):
    begin(line)
    line.settle()
    for value in (2, 3, 4, 5):
        change(line, value)
        line.settle()
    housekeeping(line, revisions=3).act()
    assert numbers(line) == [3, 4, 5]

    change(line, 3)
    line.settle()
    change(line, 1)
    line.settle()

    kept, forgotten = line.revisions("prod")[-2:]
    assert kept.rollback_of == 3
    assert forgotten.rollback_of is None
    assert forgotten.phase == "Succeeded"


def test_rejected_inputs_stay_barred_however_many_revisions_come_after(line):
    begin(line, workflow=APPROVAL_WORKFLOW, extra="commits: strict\n")

    def decide(decision: str) -> None:
        newest = line.revisions("prod")[-1].commit
        entry = approval(newest, "go-live", by=ANN, decision=decision)
        line.commit({"envs/prod/approvals.yaml": entry})
        line.settle()

    line.settle()
    decide("approve")
    change(line, "bad")
    line.settle()
    decide("reject")
    assert line.revisions("prod")[-1].barred
    for value in (3, 4, "bad", 6):
        change(line, value)
        line.settle()
        decide("approve")
    assert line.phases("prod")[-2:] == ["Succeeded"] * 2

    housekeeping(line, revisions=2, runs=2, events=9).act()
    assert numbers(line) == [2, 5, 6]
    change(line, "bad")
    line.settle()

    # Number 5 had these inputs and Succeeded, but number 2 was rejected with them.
    assert line.revisions("prod")[-1].rollback_of is None
    assert line.phases("prod")[-1] == "Suspended"


def test_a_decision_for_a_forgotten_revision_never_acts_again(line):
    begin(line, workflow=APPROVAL_WORKFLOW)
    line.settle()
    first = line.revisions("prod")[0].commit
    entry = approval(first, "go-live", by=ANN)
    line.commit({"envs/prod/approvals.yaml": entry})
    line.settle()
    line.commit({"envs/prod/workflow.yaml": PLAIN, "envs/prod/approvals.yaml": None})
    line.settle()
    for value in (2, 3):
        change(line, value)
        line.settle()
    housekeeping(line, revisions=1).act()
    assert not line.decisions("prod")

    line.commit({"envs/prod/approvals.yaml": entry})
    line.settle()

    (again,) = line.decisions("prod")
    assert again.effect == "refused"
    assert "is no revision of this environment; what it belonged to" in again.reason


def test_a_revision_that_another_environment_waits_for_stays(line):
    begin(line, "staging")
    line.settle()
    change(line, 2, "staging")
    begin(line, extra="after: [{environment: staging}]\nsuspend: true\n")
    for value in range(3, 9):
        change(line, value, "staging")
    line.settle()
    housekeeping(line, revisions=2).act()
    assert numbers(line, "staging") == [2, 7, 8]

    free = f"{ENVIRONMENT}after: [{{environment: staging}}]\n"
    line.commit({"envs/prod/environment.yaml": free})
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    housekeeping(line, revisions=2).act()
    assert numbers(line, "staging") == [7, 8]


def test_runs_of_one_revision_are_bounded_too(line):
    begin(line)
    line.settle()
    sha = line.revisions("prod")[0].commit
    for n in range(6):
        entry = approval(sha, "", by=ANN, decision="redeploy", comment=f"n{n}", run=n)
        line.commit({f"envs/prod/approvals/{n}.yaml": entry})
        line.settle()
    with line.store.read() as reader:
        before = [run.ordinal for run in reader.runs()]
    assert len(before) > 3

    housekeeping(line, runs=2).act()

    with line.store.read() as reader:
        assert [run.ordinal for run in reader.runs()] == before[:2]
    assert numbers(line) == [1]


def test_an_environment_that_is_long_gone_is_forgotten_whole(line):
    begin(line, "old")
    begin(line, "prod")
    line.settle()
    line.commit(dict.fromkeys(_files("old")))
    line.settle()
    keeping = housekeeping(line, removed=timedelta(days=30))
    keeping.act()
    assert line.record("old") is not None

    line.clock.pass_time(timedelta(days=31))
    keeping.act()
    keeping.act()

    assert line.record("old") is None
    assert numbers(line, "old") == []
    assert numbers(line, "prod") == [1]
    assert list(line.git.held()) == ["revisions/shop/prod@1"]
    begin(line, "old")
    line.settle()
    assert line.phases("old") == ["Succeeded"]


def test_an_environment_that_came_back_in_time_is_as_it_was(line):
    begin(line, "old")
    line.settle()
    line.commit(dict.fromkeys(_files("old")))
    line.settle()
    line.clock.pass_time(timedelta(days=20))
    begin(line, "old")
    line.settle()
    line.clock.pass_time(timedelta(days=20))

    housekeeping(line, removed=timedelta(days=30)).act()

    assert numbers(line, "old") == [1, 2]


def test_a_removed_environment_with_barred_inputs_keeps_them(line):
    begin(line, "old", workflow=APPROVAL_WORKFLOW)
    line.settle()
    sha = line.revisions("old")[0].commit
    entry = approval(sha, "go-live", by=ANN, decision="reject")
    line.commit({"envs/old/approvals.yaml": entry})
    line.settle()
    line.commit({**dict.fromkeys(_files("old")), "envs/old/approvals.yaml": None})
    line.settle()
    line.clock.pass_time(timedelta(days=31))

    housekeeping(line).act()

    assert [revision.barred for revision in line.revisions("old")] == [True]
    assert line.record("old").is_removed


def test_a_repository_that_left_the_config_is_forgotten_after_a_while(line):
    begin(line)
    line.settle()
    others = RepositoryRecord(name=RepositoryName("other"), url="u", branch="main")
    with line.store.transaction() as transaction:
        transaction.save_repository(others)
    keeping = housekeeping(line, watched=(), removed=timedelta(days=30))
    keeping.act()
    assert numbers(line) == [1]
    assert line.repository() is not None

    line.clock.pass_time(timedelta(days=31))
    keeping.act()

    assert line.repository() is None
    assert line.record("prod") is None


def _files(name: str) -> list[str]:
    files = ("environment.yaml", "workflow.yaml", "cm.yaml")
    return [f"envs/{name}/{file}" for file in files]


class BrokenClones:
    def forget(self, keep, before, *, damaged_before) -> int:
        raise TransientError("the disk says no")


def test_one_chore_that_fails_does_not_keep_the_others_from_theirs(line):
    begin(line)
    line.settle()
    for value in (2, 3):
        change(line, value)
        line.settle()
    told = Told()

    assert not housekeeping(line, BrokenClones(), told=told, revisions=1).act()

    assert numbers(line) == [3]
    assert len(line.git.held()) == 1
    assert told.succeeded == [False]


def test_it_stops_between_two_pieces_when_the_daemon_does(line):
    begin(line, extra="commits: strict\n")
    line.settle()
    line.work.import_commits([("envs/prod/cm.yaml", f"a: {n}\n") for n in range(69)])
    line.work.push()
    line.settle()
    told = Told()

    assert not housekeeping(line, told=told, revisions=1, stop_after=0).act()

    assert len(numbers(line)) == 20
    assert told.succeeded == []


def test_a_commit_is_held_though_its_revision_is_not_stored_yet(line):
    begin(line)
    line.settle()
    head = line.git.head()
    line.git.hold({"revisions/shop/prod@2": head, "revisions/shop/new@1": head})
    keeping = housekeeping(line)

    keeping.act()
    assert len(line.git.held()) == 3

    # By the next round whatever was on its way is in the store, or never comes.
    keeping.act()
    assert set(line.git.held()) == {"revisions/shop/prod@1", "revisions/shop/prod@2"}


@pytest.fixture
def clones(tmp_path) -> Path:
    folder = tmp_path / "clones"
    folder.mkdir()
    return folder


def test_clones_that_nobody_needs_go_after_a_while(line, clones):
    kept = clone_at(clones, REPOSITORY)
    gone = clone_at(clones, RepositoryName("gone"))
    aside = kept.with_name(kept.name + ".damaged")
    others = clones / "notes"
    for place in (kept, gone, aside, others):
        (place / "objects" / "pack").mkdir(parents=True)

    def left() -> list[str]:
        return sorted(place.name for place in clones.iterdir())

    # The files are of today; the test's clock says when that was.
    folder = CloneFolder(clones)
    made = datetime.fromtimestamp((clones / "notes").stat().st_mtime, UTC)

    def forget(days: int) -> None:
        line.clock.pass_time(made + timedelta(days=days) - line.clock.now())
        housekeeping(line, folder, removed=timedelta(days=30)).act()

    forget(days=6)
    assert left() == ["gone.git", "notes", "shop.git", "shop.git.damaged"]
    forget(days=8)
    assert left() == ["gone.git", "notes", "shop.git"]
    forget(days=31)
    assert left() == ["notes", "shop.git"]
