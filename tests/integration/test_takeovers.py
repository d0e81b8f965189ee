"""An object that one commit moves to another environment: taken over, not deleted.

The environment that lets go comes first in the queue, always: `a` gives to `b`.
"""

from datetime import timedelta

import pytest

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.core.identifiers import environment_id
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.revisions import NoRevisions
from tests.namespaces import config_map
from tests.releases import REPOSITORY, Folders, ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [cluster]\n"
FLOW = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
SUSPEND = "  - {name: go, type: suspend}\n"
DEPLOY = "  - {name: deploy, type: deploy2env}\n"
A, B = (environment_id(REPOSITORY, name) for name in "ab")
MOVE = {"envs/a/moves.yaml": None, "envs/b/moves.yaml": config_map("moves")}
SOON = timedelta(seconds=30)


class Asked(NoRevisions):
    """Counts how often it was asked who may take something over."""

    times = 0

    def claimants(self, environment, target):
        self.times += 1
        return super().claimants(environment, target)


class Shop:
    """A release line on one folder, and what was deleted there, when."""

    def __init__(self, path, **capabilities):
        self.deleted = []
        shop = self

        class Recording(DirectoryCluster):
            def delete(self, ref, *args, **more):
                since = shop.line.clock.now() - shop.pushed
                shop.deleted.append((ref.name, since.total_seconds()))
                super().delete(ref, *args, **more)

        clusters = Folders(path / "targets")
        self.cluster = clusters.opened["cluster"] = Recording(path / "cluster")
        self.line = ReleaseLine(
            path,
            catalogue=EntryPointCatalogue(),
            capabilities={
                "clusters": clusters,
                "manifests": read_manifests,
                "digest_key": Secret("key"),
                "monotonic": lambda: self.line.clock.now().timestamp(),
                **capabilities,
            },
        )
        self.pushed = self.line.clock.now()

    def begin(self, **more):
        """Release both, the first with what is to move."""
        self.push(
            {f"envs/{name}/environment.yaml": HEAD for name in "ab"}
            | {f"envs/{name}/own.yaml": config_map(f"own-{name}") for name in "ab"}
            | {"envs/a/moves.yaml": config_map("moves")}
            | {f"envs/{path}": text for path, text in more.items()}
        )
        self.line.work_off()
        assert self.phases() == (["Succeeded"], ["Succeeded"])

    def push(self, *commits):
        """Push; the daemon sees it, and has carried out nothing yet."""
        for files in commits:
            self.line.work.commit(files, "Change")
        self.line.work.push()
        self.line.poll()
        self.pushed = self.line.clock.now()

    def pass_time(self, span):
        self.line.work_off()
        self.line.wait(span)

    def phases(self):
        return self.line.phases("a"), self.line.phases("b")

    def owner(self):
        resource = self.cluster.resource("v1", "ConfigMap")
        live = self.cluster.get(resource, "default", "moves")
        return live and live["metadata"]["labels"]["gitops-wf.io/environment"]

    def message(self):
        return self.line.run("a").steps[-1].message


@pytest.fixture
def make(tmp_path):
    made = []

    def make(**capabilities):
        made.append(Shop(tmp_path, **capabilities))
        return made[-1]

    yield make
    for shop in made:
        shop.line.close()


@pytest.fixture
def shop(make):
    return make()


@pytest.mark.parametrize("wait", ["true", "false"])
def test_an_object_that_moves_is_not_deleted_before_the_other_could_claim_it(
    shop, wait
):
    step = f"  - {{name: deploy, type: deploy2env, properties: {{wait: {wait}}}}}\n"
    shop.begin(**{"a/workflow.yaml": FLOW + step})
    shop.push(MOVE)
    shop.pass_time(SOON)

    assert shop.deleted == []
    assert shop.owner() == "shop.b"
    assert shop.phases() == (["Succeeded"] * 2, ["Succeeded"] * 2)
    assert "1 unchanged, 1 skipped" in shop.message()


def test_who_is_waited_for_is_told_and_for_a_minute_at_most(shop):
    shop.begin()
    shop.push(MOVE | {"envs/a/old.yaml": None})
    shop.line.executor.put_off(B, timedelta(minutes=3))
    shop.pass_time(SOON)

    assert shop.message() == (
        "1 unchanged; 1 healthy; waiting for shop/b to say what it takes over, a"
        " minute at most, before 1 object that left Git is deleted"
    )
    assert shop.deleted == []
    shop.line.wait(timedelta(minutes=1))
    # The first look comes a second after the apply.
    assert shop.deleted == [("moves", 61)]
    assert shop.line.phases("a") == ["Succeeded"] * 2
    shop.line.wait(timedelta(minutes=3))
    assert shop.owner() == "shop.b"


def test_nothing_is_read_anew_while_somebody_is_waited_for(make):
    read = []

    def reading(*args, **more):
        read.append(args)
        return read_manifests(*args, **more)

    shop = make(manifests=reading)
    shop.begin()
    shop.push(MOVE)
    shop.line.executor.put_off(B, timedelta(minutes=3))
    shop.pass_time(SOON)
    before = len(read)

    shop.line.wait(timedelta(seconds=20))

    assert "waiting for shop/b" in shop.message()
    assert len(read) == before


def test_of_very_many_a_few_are_named(shop):
    many = "cdefgh"
    shop.begin(**{f"{name}/environment.yaml": HEAD for name in many})
    shop.push(MOVE | {f"envs/{name}/own.yaml": config_map(name) for name in many})
    for name in "b" + many:
        other = environment_id(REPOSITORY, name)
        shop.line.executor.put_off(other, timedelta(seconds=40))
    shop.pass_time(SOON)

    assert (
        "waiting for shop/b, shop/c, shop/d, shop/e, shop/f to say what they take over"
    ) in shop.message()
    shop.line.wait(SOON)
    assert shop.deleted == []
    assert shop.owner() == "shop.b"


def test_one_that_claims_it_in_the_very_moment_keeps_it(make):
    class Meanwhile(NoRevisions):
        def claimants(self, environment, target):
            shop.line.executor.run_due()
            return super().claimants(environment, target)

    shop = make(revisions=Meanwhile())
    shop.begin()
    shop.push(MOVE)
    shop.pass_time(SOON)

    assert shop.deleted == []
    assert shop.owner() == "shop.b"


def test_what_the_other_does_not_take_is_deleted_once_it_has_said_so(shop):
    shop.begin(**{"a/goes.yaml": config_map("goes")})
    shop.push(MOVE | {"envs/a/goes.yaml": None})
    shop.pass_time(SOON)

    assert shop.deleted == [("goes", 1)]
    assert shop.owner() == "shop.b"


@pytest.mark.parametrize(
    ("files", "seconds", "phase"),
    [
        # It is asked in the same moment; the next look sees that it waits.
        ({"envs/b/workflow.yaml": FLOW + SUSPEND + DEPLOY}, 1, "Suspended"),
        (
            {"envs/b/environment.yaml": HEAD + "after: [{environment: a}]\n"},
            0,
            "Succeeded",
        ),
        ({"envs/b/environment.yaml": HEAD + "suspend: true\n"}, 0, "Pending/Paused"),
    ],
    ids=["approval", "after", "suspend"],
)
def test_one_that_is_held_is_not_waited_for(shop, files, seconds, phase):
    shop.begin()
    shop.push(MOVE | files)
    shop.pass_time(SOON)

    assert shop.deleted == [("moves", seconds)]
    assert shop.phases() == (["Succeeded"] * 2, ["Succeeded", phase])


def test_one_that_waits_for_an_approval_already_is_not_waited_for(shop):
    shop.begin()
    shop.push(MOVE | {"envs/b/workflow.yaml": FLOW + SUSPEND + DEPLOY})
    shop.line.executor.put_off(A, timedelta(seconds=5))
    shop.pass_time(SOON)

    assert shop.deleted == [("moves", 5)]


def test_what_is_marked_to_stay_is_the_new_ones_once_its_label_is_off(shop):
    keep = ", annotations: {gitops-wf.io/prune: disabled}"
    shop.begin(**{"a/moves.yaml": config_map("moves", keep)})
    shop.push(MOVE | {"envs/b/environment.yaml": HEAD + "after: [{environment: a}]\n"})
    shop.pass_time(SOON)
    assert (shop.deleted, shop.owner()) == ([], "shop.a")
    assert "take the label gitops-wf.io/environment off the object" in (
        shop.line.run("b").steps[-1].message
    )

    resource = shop.cluster.resource("v1", "ConfigMap")
    live = shop.cluster.get(resource, "default", "moves")
    del live["metadata"]["labels"]
    shop.cluster.replace(live)
    shop.line.wait(SOON)

    assert (shop.deleted, shop.owner()) == ([], "shop.b")
    assert shop.phases() == (["Succeeded"] * 2, ["Succeeded"] * 2)


def test_a_commit_to_one_environment_deletes_at_once_whoever_else_is_under_way(shop):
    shop.begin()
    shop.push({"envs/b/more.yaml": config_map("more")})
    shop.line.executor.put_off(B, timedelta(minutes=3))
    shop.push({"envs/a/moves.yaml": None})
    shop.line.work_off()

    assert shop.deleted == [("moves", 0)]
    assert shop.line.phases("a") == ["Succeeded"] * 2


def test_nobody_is_asked_for_where_nothing_is_deleted(make):
    asked = Asked()
    shop = make(revisions=asked)
    shop.begin()
    shop.push({"envs/a/own.yaml": config_map("own-a", ", labels: {new: x}")})
    shop.line.work_off()
    assert asked.times == 0

    shop.push({"envs/a/moves.yaml": None})
    shop.line.work_off()
    assert (asked.times, shop.deleted) == (1, [("moves", 0)])


def test_what_is_kept_anyway_makes_nobody_wait(make):
    asked = Asked()
    shop = make(revisions=asked)
    keep = ", annotations: {gitops-wf.io/prune: disabled}"
    shop.begin(**{"a/kept.yaml": config_map("kept", keep)})
    shop.push({"envs/a/kept.yaml": None})
    shop.line.work_off()

    assert (asked.times, shop.deleted) == (0, [])


def test_the_commit_that_moved_it_may_be_superseded_in_one_of_them(shop):
    shop.begin()
    shop.push(MOVE, {"envs/a/own.yaml": config_map("own-a", ", labels: {new: x}")})
    shop.pass_time(SOON)

    assert shop.deleted == []
    assert shop.owner() == "shop.b"


def test_one_that_stands_in_line_behind_its_own_release_is_waited_for(shop):
    shop.begin(**{"b/environment.yaml": HEAD + "commits: every\n"})
    shop.push({"envs/b/more.yaml": config_map("more")})
    shop.line.executor.put_off(B, timedelta(seconds=20))
    shop.push(MOVE)
    shop.pass_time(SOON)

    assert shop.deleted == []
    assert shop.owner() == "shop.b"
    assert shop.phases() == (["Succeeded"] * 2, ["Succeeded"] * 3)


def test_a_folder_that_is_removed_leaves_what_another_takes_over(shop):
    shop.begin(**{"a/environment.yaml": HEAD + "onRemove: delete\n"})
    gone = dict.fromkeys(("envs/a/environment.yaml", "envs/a/own.yaml"))
    shop.push(MOVE | gone)
    shop.line.executor.put_off(B, timedelta(seconds=10))
    shop.pass_time(timedelta(seconds=5))

    assert shop.message() == (
        "waiting for shop/b to say what it takes over, a minute at most, before 2"
        " objects that left Git are deleted"
    )
    shop.line.wait(SOON)
    assert [name for name, _ in shop.deleted] == ["own-a"]
    assert shop.owner() == "shop.b"
    assert shop.phases() == (["Succeeded"] * 2, ["Succeeded"] * 2)
