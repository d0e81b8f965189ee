"""`plan` and `diff` on a pull request's branch, beside a daemon that then deploys it.

Each test has an environment of its own; the sandbox's request log is the witness of
what was written, the stored run of what the daemon did.
"""

import contextlib
import io
import json
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.cli.main import run
from gitops_wf.core.identifiers import RepositoryName, environment_id
from tests.daemons import DaemonProcess
from tests.gitworktree import GitWorkTree, bare_repository

CANARY = "canary-5f2b9c"


@dataclass
class Shop:
    """A repository, a person's clone of it, and the daemon that watches it."""

    daemon: DaemonProcess
    work: GitWorkTree
    folder: Path

    def plan(self, *arguments, command="plan", config=None):
        """Run a command in the clone; what it printed as JSON, and its exit code."""
        code, out, err = self.run(command, *arguments, "-o", "json", config=config)
        assert out, err
        return json.loads(out), code

    def run(self, *arguments, config=None):
        """Run a command in the clone, in this process: exit code, output, errors."""
        out, err = io.StringIO(), io.StringIO()
        where = ("--config", str(config or self.daemon.config))
        with (
            contextlib.chdir(self.work.path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run([*arguments, *where])
        return code, out.getvalue(), err.getvalue()

    def branch(self, name, files):
        """Commit files on a branch of its own, and go back to main."""
        self.work.branch(name)
        self.work.commit(files)
        self.work.checkout("main")

    def merge(self, name, environment, phases):
        """Merge a branch as a host does; wait for what the daemon makes of it."""
        self.work.merge(name)
        self.work.push()
        self.daemon.reaches(environment, phases)

    def release(self, environment, files):
        """Push what an environment begins with, and wait until it is released."""
        self.work.commit(in_folder(environment, files))
        self.work.push()
        self.daemon.reaches(environment, ["Succeeded"])

    def newest(self, environment):
        """The daemon's newest revision of an environment."""
        return self._first("revisions", environment)

    def message(self, environment):
        """What the daemon's newest run says of its last step, and its number."""
        found = self._first("runs", environment)
        return found.steps[-1].message, found.subject.number

    def _first(self, what, environment):
        place = environment_id(RepositoryName("shop"), environment)
        with (
            closing(open_for_reading(self.daemon.store)) as store,
            store.read() as reader,
        ):
            (found,) = getattr(reader, what)(place, limit=1)
        return found

    def written(self, environment, since):
        """What the sandbox saw done since then to an environment's objects, by name."""
        done = {}
        for each in self.requests()[since:]:
            path, _, query = each["path"].partition("?")
            name = path.rpartition("/")[2]
            if not name.startswith(f"{environment}-") or "dryRun" in query:
                continue
            if each["method"] == "DELETE":
                done[name] = "deleted"
            elif each["method"] == "PATCH" and each["code"] < 300:
                done[name] = "created" if each["code"] == 201 else "configured"
        return done

    def live(self, name):
        """A ConfigMap as it is on the target."""
        return self.daemon.kubectl("get", "configmap", name, "-n", "eu")

    def requests(self):
        log = self.daemon.sandbox / "requests.log"
        return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    remote = bare_repository(folder / "shop.git")
    work = GitWorkTree.init(folder / "work", remote=str(remote))
    targets = {"eu": {"sandbox": True, "namespace": "eu"}}
    config = {
        "repositories": {"shop": {"url": str(remote), "targets": ["eu"]}},
        "targets": targets,
    }
    (folder / "gitops-wf.yaml").write_text(yaml.safe_dump(config))
    work.commit(in_folder("beside", {"web.yaml": config_map("beside", k="1")}))
    work.push()
    daemon = DaemonProcess(folder=folder, config=folder / "gitops-wf.yaml")
    daemon.start()
    try:
        daemon.reaches("beside", ["Succeeded"])
        yield Shop(daemon=daemon, work=work, folder=folder)
    finally:
        daemon.close()


@pytest.fixture
def name():
    return f"e{uuid.uuid4().hex[:6]}"


def in_folder(environment, files):
    head = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
    every = {"environment.yaml": head, **files}
    return {f"envs/{environment}/{path}": text for path, text in every.items()}


def manifest(kind, name, **fields):
    head = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    return yaml.safe_dump({**head, **fields})


def config_map(name, **data):
    return manifest("ConfigMap", name, data=data)


def service(name, address):
    spec = {"clusterIP": address, "ports": [{"port": 80}]}
    return manifest("Service", name, spec=spec)


def changes(step):
    """What is to become of each object of a step, by name."""
    return {each["name"]: each["change"] for each in step["objects"]}


def foretold(planned):
    """What is to be written of each object, by name."""
    (environment,) = planned["environments"]
    return {
        each["name"]: each["change"]
        for step in environment["steps"]
        for each in step["objects"] or ()
        if each["change"] not in {"unchanged", None}
    }


def test_a_plan_of_a_branch_is_what_the_deploy_then_does(shop, name):
    secret = manifest("Secret", f"{name}-login", stringData={"password": CANARY})
    shop.release(
        name,
        {
            "same.yaml": config_map(f"{name}-same", k="1"),
            "value.yaml": config_map(f"{name}-value", k="1"),
            "goes.yaml": config_map(f"{name}-goes", k="1"),
            "login.yaml": secret,
        },
    )
    changed = {
        "value.yaml": config_map(f"{name}-value", k="2"),
        "arrives.yaml": config_map(f"{name}-arrives", k="1"),
        "goes.yaml": None,
        "login.yaml": secret.replace(CANARY, f"{CANARY}-2"),
    }
    shop.branch(f"pr-{name}", {f"envs/{name}/{p}": t for p, t in changed.items()})
    before = len(shop.requests())

    planned, code = shop.plan("--commit", f"pr-{name}")
    told, differing = shop.plan("--commit", f"pr-{name}", command="diff")
    _, text, _ = shop.run("diff", "--commit", f"pr-{name}")

    sent = [(each["method"], each["path"]) for each in shop.requests()[before:]]
    assert [each for each in sent if "gitops-wf" in each[1] and "dryRun" in each[1]]
    assert [e for e in sent if e[0] != "GET" and "dryRun=All" not in e[1]] == []
    assert (code, differing) == (1, 1)
    (environment,) = planned["environments"]
    assert (environment["environment"], environment["number"]) == (name, 2)
    assert "beside" in planned["unaffected"]
    before = len(shop.requests())
    shop.merge(f"pr-{name}", name, ["Succeeded", "Succeeded"])
    assert foretold(planned) == shop.written(name, before)
    assert set(foretold(planned).values()) == {"created", "configured", "deleted"}
    (step,) = environment["steps"]
    assert step["message"] == "1 created, 2 configured, 1 unchanged, 1 deleted"
    message, number = shop.message(name)
    assert message.startswith(f"{step['message']}; ")
    assert number == environment["number"]
    assert CANARY not in json.dumps([planned, told]) + text
    assert "-  password: '*** (before)'\n+  password: '*** (after)'" in text
    assert "-  k: '1'\n+  k: '2'" in text


@pytest.mark.parametrize("to", ["c", "z"])
def test_an_object_that_moves_is_left_alone_and_taken_over(shop, name, to):
    """As the deploy then does it, whichever of the two comes first by its name."""
    old, new = f"m{name}", f"{to}{name}"
    moved = f"{name}-moves"
    shop.release(
        old,
        {
            "m.yaml": config_map(moved, k="1"),
            "b.yaml": config_map(f"{name}-b", k="1"),
        },
    )
    shop.release(new, {"c.yaml": config_map(f"{name}-c", k="1")})
    uid = shop.live(moved)["metadata"]["uid"]
    shop.branch(
        f"pr-{name}",
        {
            f"envs/{old}/m.yaml": None,
            f"envs/{new}/m.yaml": config_map(moved, k="2"),
        },
    )

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert code == 1
    told = {each["environment"]: each["steps"][0] for each in planned["environments"]}
    assert changes(told[old])[moved] == "skipped"
    assert f"kept: now of environment shop/{new}" in json.dumps(told[old])
    assert changes(told[new])[moved] == "configured"
    shop.merge(f"pr-{name}", new, ["Succeeded", "Succeeded"])
    shop.daemon.reaches(old, ["Succeeded", "Succeeded"])
    for each in (old, new):
        assert shop.message(each)[0].startswith(f"{told[each]['message']}; ")
    live = shop.live(moved)
    assert (live["metadata"]["uid"], live["data"]) == (uid, {"k": "2"})


@pytest.mark.parametrize("to", ["c", "z"])
def test_an_object_that_the_other_keeps_is_claimed_by_both(shop, name, to):
    old, new = f"m{name}", f"{to}{name}"
    wanted = f"{name}-wanted"
    shop.release(old, {"m.yaml": config_map(wanted, k="1")})
    shop.release(new, {"c.yaml": config_map(f"{name}-c", k="1")})
    shop.branch(
        f"pr-{name}",
        {
            f"envs/{old}/m.yaml": config_map(wanted, k="2"),
            f"envs/{new}/m.yaml": config_map(wanted, k="3"),
        },
    )

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert code == 2
    told = {each["environment"]: each["steps"][0] for each in planned["environments"]}
    assert told[old]["phase"] == "Succeeded"
    assert told[new]["reason"] == "ObjectClaimed"
    assert f"shop/{new} wants it, and shop/{old} has it" in told[new]["failure"]


def test_an_object_that_moves_to_one_that_begins_later_is_made_anew(shop, name):
    old, new = f"m{name}", f"c{name}"
    moved = f"{name}-moves"
    shop.release(
        old,
        {"m.yaml": config_map(moved, k="1"), "b.yaml": config_map(f"{name}-b", k="1")},
    )
    after = in_folder(new, {"m.yaml": config_map(moved, k="2")})
    after[f"envs/{new}/environment.yaml"] += f"after: [{{environment: {old}}}]\n"
    shop.branch(f"pr-{name}", {f"envs/{old}/m.yaml": None, **after})

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert code == 1
    told = {each["environment"]: each["steps"][0] for each in planned["environments"]}
    assert changes(told[old])[moved] == "deleted"
    assert changes(told[new])[moved] == "created"
    shop.merge(f"pr-{name}", new, ["Succeeded"])
    for each in (old, new):
        assert shop.message(each)[0].startswith(f"{told[each]['message']}; ")


def test_an_object_that_is_let_go_only_after_an_approval_is_not_waited_for(shop, name):
    old, new = f"c{name}", f"m{name}"
    moved = f"{name}-moves"
    shop.release(old, {"m.yaml": config_map(moved, k="1")})
    flow = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        "- {name: ask, type: suspend}\n- {name: deploy, type: deploy2env}\n"
    )
    shop.branch(
        f"pr-{name}",
        {
            f"envs/{old}/m.yaml": config_map(f"{name}-b", k="1"),
            f"envs/{old}/workflow.yaml": flow,
            **in_folder(new, {"m.yaml": config_map(moved, k="2")}),
        },
    )

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert code == 2
    told = {each["environment"]: each["steps"][-1] for each in planned["environments"]}
    assert told[new]["reason"] == "ObjectClaimed"


def test_a_refusal_and_a_conflict_are_foretold_in_the_daemon_s_words(shop, name):
    shop.release(
        name,
        {
            "a.yaml": config_map(f"{name}-a", k="1"),
            "s.yaml": service(f"{name}-s", "10.96.1.10"),
        },
    )
    patch = json.dumps({"data": {"k": "by hand"}})
    by_hand = ("patch", "configmap", f"{name}-a", "-n", "eu", "--type=merge")
    assert shop.daemon.kubectl(*by_hand, "-p", patch)
    shop.branch(
        f"pr-{name}",
        {
            f"envs/{name}/a.yaml": config_map(f"{name}-a", k="2"),
            f"envs/{name}/s.yaml": service(f"{name}-s", "10.96.1.11"),
            f"envs/{name}/b.yaml": config_map(f"{name}-b", k="1"),
        },
    )

    planned, code = shop.plan("--commit", f"pr-{name}")
    _, text, _ = shop.run("plan", "--commit", f"pr-{name}")

    assert code == 2
    (step,) = planned["environments"][0]["steps"]
    assert (step["phase"], step["changes"]["refused"]) == ("Failed", 2)
    before = len(shop.requests())
    shop.merge(f"pr-{name}", name, ["Succeeded", f"Failed/{step['reason']}"])
    assert shop.message(name)[0] == step["failure"]
    assert shop.written(name, before) == foretold(planned) == {f"{name}-b": "created"}
    assert '"kubectl-patch" owns .data.k' in text
    assert "such a field cannot be changed" in text


def test_a_work_tree_is_planned_with_what_is_not_committed(shop, name):
    shop.release(name, {"a.yaml": config_map(f"{name}-a", k="1")})
    folder = shop.work.path / "envs" / name
    (folder / "a.yaml").write_text(config_map(f"{name}-a", k="2"))
    (folder / "new.yaml").write_text(config_map(f"{name}-new", k="1"))

    planned, code = shop.plan()

    assert code == 1
    assert "with changes that are not committed" in planned["source"]
    assert foretold(planned) == {f"{name}-a": "configured", f"{name}-new": "created"}
    before = len(shop.requests())
    shop.work.git("add", "--all")
    shop.work.commit()
    shop.work.push()
    shop.daemon.reaches(name, ["Succeeded", "Succeeded"])
    assert shop.written(name, before) == foretold(planned)


def test_an_invalid_definition_is_told_as_the_daemon_tells_it(shop, name):
    shop.release(name, {"a.yaml": config_map(f"{name}-a", k="1")})
    bad = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n- {name: a, type: nothing}\n"
    shop.branch(f"pr-{name}", {f"envs/{name}/workflow.yaml": bad})

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert code == 2
    (environment,) = planned["environments"]
    assert environment["problems"][0].startswith(f"envs/{name}/workflow.yaml:4: ")
    shop.merge(f"pr-{name}", name, ["Succeeded", "Failed/InvalidDefinition"])
    assert shop.newest(name).message.splitlines() == environment["problems"]


def test_what_can_be_planned_is_printed_beside_a_cluster_that_is_away(shop, name):
    away = shop.folder / f"{name}.kubeconfig"
    away.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "users: [{name: u, user: {}}]\n"
    )
    config = yaml.safe_load(shop.daemon.config.read_text())
    config["targets"]["us"] = {"kubeconfig": str(away)}
    other = shop.folder / f"{name}.yaml"
    other.write_text(yaml.safe_dump(config))
    files = in_folder(name, {"a.yaml": config_map(f"{name}-a", k="1")})
    path = f"envs/{name}/environment.yaml"
    shop.branch(f"pr-{name}", {**files, path: files[path] + "targets: [eu, us]\n"})

    planned, code = shop.plan("--commit", f"pr-{name}", config=other)
    only, code_of_one = shop.plan(
        "--commit", f"pr-{name}", "--target", "eu", config=other
    )

    assert code == 2
    (environment,) = planned["environments"]
    eu, us = environment["steps"]
    assert eu["changes"]["created"] == 1
    assert us["phase"] == "Errored"
    assert "http://127.0.0.1:1 unreachable" in us["failure"]
    assert code_of_one == 1
    assert [s["target"] for s in only["environments"][0]["steps"]] == ["eu"]


def test_without_a_store_numbers_are_not_known(shop, name):
    shop.release(name, {"a.yaml": config_map(f"{name}-a", k="1")})
    config = yaml.safe_load(shop.daemon.config.read_text())
    config["store"] = str(shop.folder / "nowhere" / "store.db")
    other = shop.folder / f"{name}.yaml"
    other.write_text(yaml.safe_dump(config))
    shop.branch(f"pr-{name}", {f"envs/{name}/a.yaml": config_map(f"{name}-a", k="2")})

    planned, code = shop.plan("--commit", f"pr-{name}", config=other)

    assert code == 1
    assert planned["environments"][0]["number"] is None
    assert "numbers" in planned["notes"][0]
    assert foretold(planned) == {f"{name}-a": "configured"}
    assert not (shop.folder / "nowhere").exists()


def test_a_commit_that_changes_nothing_ends_with_0(shop, name):
    shop.branch(f"pr-{name}", {"README.md": f"{name}\n"})

    planned, code = shop.plan("--commit", f"pr-{name}")

    assert (planned["environments"], code) == ([], 0)


def test_a_branch_that_cannot_be_merged_ends_with_2(shop, name):
    shop.release(name, {"a.yaml": config_map(f"{name}-a", k="1")})
    path = f"envs/{name}/a.yaml"
    shop.branch(f"pr-{name}", {path: config_map(f"{name}-a", k="2")})
    shop.work.commit({path: config_map(f"{name}-a", k="3")})

    code, _, err = shop.run("plan", "--commit", f"pr-{name}", "--against", "main")

    assert code == 2
    assert f"conflicts in {path}; merge main into it first" in err
    shop.work.git("reset", "-q", "--hard", "origin/main")


def test_what_is_asked_for_and_is_not_there_ends_with_2(shop):
    for arguments, words in (
        (("--commit", "nowhere"), "nowhere: no such commit here"),
        (("--repository", "other"), "no repository other"),
        (("--target", "moon"), "target moon is not in the daemon config; there: eu"),
        (("nobody",), "no environment nobody in the repository; there: beside"),
    ):
        code, _, err = shop.run("plan", *arguments)
        assert code == 2, arguments
        assert words in err
