"""The acts of the demo: push, approve, break, revert; each with its proof."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from gitops_wf.bootstrap.configs import load_config
from gitops_wf.bootstrap.looking import machine_clock, open_query
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.cli import rows
from gitops_wf.cli.demo.stage import Stage
from gitops_wf.cli.demo.teller import Teller, git
from gitops_wf.cli.table import Table, print_table
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.services.query import Query
from gitops_wf.services.views import RevisionView

_PATIENCE = 120.0
_LOOK = 0.2

GOOD, BROKEN = "nginx:1.27", "nginx:broken"
ANN = ("Ann", "ann@example.com")
BOB = ("Bob", "bob@example.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the demo promised, and what came of it."""

    what: str
    expected: str
    seen: str

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return self.seen.startswith(self.expected)


class Story:
    """Plays the acts on a stage."""

    def __init__(self, stage: Stage, teller: Teller) -> None:
        self._stage = stage
        self._teller = teller
        self._proofs: list[Proof] = []
        self._told = ""

    def play(self) -> tuple[Proof, ...]:
        """Play everything; return the proofs.

        Errors: TerminalError where something does not come within its time.
        """
        self._prologue()
        self._push()
        self._approve()
        self._break()
        self._revert()
        return tuple(self._proofs)

    def print_revisions(self) -> None:
        """Print what the daemon knows at the end."""
        with self._query() as query:
            print_table(rows.revisions(query.revisions(), machine_clock().now()))

    def _prologue(self) -> None:
        stage, teller = self._stage, self._teller
        teller.title("The stage")
        stage.build()
        teller.fact("repository", stage.repository)
        teller.fact("work tree", stage.work_tree)
        teller.fact("config", stage.config)
        teller.fact("kubeconfig", stage.kubeconfig)
        teller.fact("daemon log", stage.log)
        bare = str(stage.repository)
        teller.git(
            stage.directory, "init", "--quiet", "--bare", "--initial-branch=main", bare
        )
        work = stage.work_tree
        git(work, "init", "--quiet", "--initial-branch=main")
        for key, value in (
            ("user.name", ANN[0]),
            ("user.email", ANN[1]),
            ("commit.gpgSign", "false"),
            ("core.autocrlf", "false"),
        ):
            git(work, "config", key, value)
        git(work, "remote", "add", "origin", bare)
        teller.say("  starting the sandbox cluster and the daemon …", "dim")
        stage.start()

    def _push(self) -> None:
        self._teller.title("1. A push deploys")
        self._teller.say("Ann pushes two environments: staging, and prod after it.")
        self._stage.write_example()
        work = self._stage.work_tree
        self._teller.say(f"  $ cd {work}", "bold cyan")
        self._teller.git(work, "add", "envs")
        self._commit("Release 1")
        self._teller.git(work, "push", "--quiet", "origin", "main")
        self._wait("staging", 1, _has_ended)
        self._prove("a push deploys to staging", "staging", 1, "Succeeded")
        self._wait("prod", 1, _waits)
        self._prove("prod waits for approval", "prod", 1, "Suspended")

    def _approve(self) -> None:
        self._teller.title("2. An approval is a commit")
        self._teller.say(
            "Bob approves, by an entry that gitops-wf approve prod --push writes, too."
        )
        self._write_approval("prod", 1)
        self._wait("prod", 1, _has_ended)
        self._prove("the approval commit deploys to prod", "prod", 1, "Succeeded")
        self._look_at_prod()

    def _break(self) -> None:
        self._teller.title("3. A broken image fails fast")
        self._teller.say("Ann pushes an image that cannot be pulled, straight to prod.")
        file = self._stage.work_tree / "envs/prod/web.yaml"
        text = file.read_text(encoding="utf-8")
        self._teller.edit("envs/prod/web.yaml", f"- image: {GOOD}\n+ image: {BROKEN}")
        file.write_text(text.replace(GOOD, BROKEN), encoding="utf-8")
        self._commit("Release 2")
        self._teller.git(self._stage.work_tree, "push", "--quiet", "origin", "main")
        self._wait("prod", 2, _waits)
        self._write_approval("prod", 2)
        self._wait("prod", 2, _has_ended)
        self._prove("a broken image fails fast", "prod", 2, "Failed/HealthCheckFailed")
        told = self._revision("prod", 2)
        message = told.revision.message if told else ""
        self._proofs.append(
            Proof(
                what="with the pod's own reason",
                expected="ImagePullBackOff",
                seen="ImagePullBackOff"
                if "ImagePullBackOff" in message
                else message or "nothing",
            )
        )

    def _revert(self) -> None:
        self._teller.title("4. git revert rolls back")
        self._teller.say(
            "Ann reverts. What comes back has succeeded before, so nobody is asked."
        )
        work = self._stage.work_tree
        bad = git(work, "log", "-1", "--format=%h", "--", "envs/prod/web.yaml")
        self._teller.git(work, "revert", "--no-edit", bad)
        self._teller.git(work, "push", "--quiet", "origin", "main")
        self._wait("prod", 3, _has_ended)
        self._prove("git revert brings prod back", "prod", 3, "Succeeded")
        told = self._revision("prod", 3)
        back = told.revision.rollback_of if told else None
        self._proofs.append(
            Proof(
                what="known as a rollback by its content",
                expected="back to #1",
                seen=f"back to #{back}" if back else "no rollback",
            )
        )
        self._proofs.append(
            Proof(
                what="seen in the cluster (Deployment/shop-prod/web)",
                expected=f"{GOOD}, 2 of 2 ready",
                seen=self._look_at_prod(),
            )
        )

    def _look_at_prod(self) -> str:
        """Ask the cluster itself what runs in prod; tell and return it."""
        target = TargetConfig(
            name=TargetName("sandbox"),
            kind=TargetKind.KUBECONFIG,
            path=str(self._stage.kubeconfig),
        )
        cluster = open_target(target)
        resource = cluster.resource("apps/v1", "Deployment")
        web = cluster.get(resource, "shop-prod", "web")
        if web is None:
            return "nothing"
        image = web["spec"]["template"]["spec"]["containers"][0]["image"]
        ready = web.get("status", {}).get("readyReplicas", 0)
        seen = f"{image}, {ready} of {web['spec']['replicas']} ready"
        self._teller.progress(f"the cluster says: Deployment/shop-prod/web {seen}")
        return seen

    def _commit(self, message: str) -> None:
        self._teller.git(
            self._stage.work_tree, "commit", "--quiet", "--all", "-m", message
        )

    def _write_approval(self, name: str, number: int) -> None:
        """Approve as a person would who has only git and an editor."""
        found = self._revision(name, number)
        assert found is not None
        step = found.waiting[0].step
        path = f"envs/{name}/approvals.yaml"
        file = self._stage.work_tree / path
        line = (
            f"  - {{revision: '{found.revision.commit}', step: {step},"
            " decision: approve}\n"
        )
        head = "" if file.exists() else "approvals:\n"
        self._teller.edit(path, head + line)
        with file.open("a", encoding="utf-8") as out:
            out.write(head + line)
        bob = dict(os.environ)
        for role in ("AUTHOR", "COMMITTER"):
            bob[f"GIT_{role}_NAME"], bob[f"GIT_{role}_EMAIL"] = BOB
        work = self._stage.work_tree
        self._teller.git(work, "add", path)
        self._teller.git(
            work,
            *("commit", "--quiet", "-m", f"Approve {name}#{number}"),
            *("--author", f"{BOB[0]} <{BOB[1]}>"),
            env=bob,
        )
        self._teller.git(work, "push", "--quiet", "origin", "main")

    def _wait(
        self, name: str, number: int, is_there: Callable[[RevisionView], bool]
    ) -> None:
        """Wait for a revision to get somewhere, telling what it does meanwhile."""
        for _ in range(int(_PATIENCE / _LOOK)):
            self._stage.check()
            found = self._revision(name, number)
            if found is not None:
                line = _line(name, found)
                if line != self._told:
                    self._teller.progress(line)
                    self._told = line
                if is_there(found):
                    return
            Event().wait(_LOOK)
        raise TerminalError(
            f"{name}#{number} did not get on within {_PATIENCE:g}s; the daemon's log is"
            f" {self._stage.log}",
            reason="Timeout",
        )

    def _prove(self, what: str, name: str, number: int, expected: str) -> None:
        found = self._revision(name, number)
        seen = (
            rows.status(found.revision.phase, found.revision.reason)
            if found is not None
            else "nothing"
        )
        self._proofs.append(
            Proof(what=f"{what} ({name}#{number})", expected=expected, seen=seen)
        )

    def _revision(self, name: str, number: int) -> RevisionView | None:
        try:
            with self._query() as query:
                return query.revision(query.resolve(name), number)
        except TerminalError:
            return None  # the store, or the environment, is not there yet

    @contextmanager
    def _query(self) -> Iterator[Query]:
        config = load_config(self._stage.config)
        store = open_query(config)
        try:
            yield Query(store=store, config=config)
        finally:
            store.close()


def print_proofs(proofs: tuple[Proof, ...]) -> None:
    """Print what was promised and what came of it."""
    print_table(
        Table(
            headers=("KEPT", "WHAT", "SEEN"),
            rows=[(str(proof.is_kept), proof.what, proof.seen) for proof in proofs],
        )
    )


def _has_ended(view: RevisionView) -> bool:
    return view.revision.phase.is_final


def _waits(view: RevisionView) -> bool:
    if view.revision.phase.is_final and view.revision.phase is not Phase.SUSPENDED:
        raise TerminalError(
            f"it ended {view.revision.phase}: {view.revision.message}",
            reason="DemoFailed",
        )
    return bool(view.waiting)


def _line(name: str, view: RevisionView) -> str:
    revision = view.revision
    text = f"{name}#{revision.number} {rows.status(revision.phase, revision.reason)}"
    if view.waiting:
        return f"{text}: waits for {rows.waiting_text(view.waiting)}"
    return f"{text}: {revision.message}" if revision.message else text
