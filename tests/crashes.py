"""One release, killed at one point and begun again; witnesses tell what came of it.

A world is a repository, a store, two namespaces of a sandbox cluster and the paths of
two receivers. Worlds share the servers, so that many points can be tried at once.
"""

import json
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.adapters.sql_store.store import ReadingStore
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import EnvironmentId, environment_name
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run
from tests import sandbox_process
from tests.crashpoints import Journal, Point
from tests.daemon_process import serve
from tests.forkserver import FORKSERVER
from tests.gitworktree import GitWorkTree, bare_repository, run_git
from tests.postgres import postgres_server
from tests.receivers import HttpReceiver, Mailbox, http_receiver, smtp_server
from tests.releases import approval

PATIENCE = 120.0
"""Seconds after which a release is not going to end."""

AT_ONCE = 8
"""Worlds at a time: a release mostly waits."""

FULL = "GITOPS_WF_CRASHES"
"""The variable that asks for every point, on both databases, with ``full``."""

LOOK = 0.1

PRINT = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: say, type: print-message-in-status, properties: {message: hello}}
"""

ENVIRONMENT = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
notify:
  - {channel: chat, on: [suspended, succeeded]}
  - {channel: mail, on: [suspended, succeeded]}
"""

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: to-staging, type: deploy2env, properties: {target: staging}}
  - {name: seed, type: run-job, properties: {target: staging, image: 'busybox:1'}}
  - {name: call, type: webhook, properties: {url: {secretRef: {name: hook}}}}
  - name: tell
    type: notification
    properties: {channels: [chat, mail], text: 'staging is done'}
  - {name: go-live, type: suspend}
  - {name: to-prod, type: deploy2env, properties: {target: prod}}
  - name: farewell
    type: notification
    if: always
    properties: {channels: [chat, mail], text: 'it ${{ run.outcome }}'}
"""

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {value: one}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: 'nginx:1.27'}]
"""

CONFIG = """\
instance: crash
store: {store}
repositories:
  shop: {{url: {url}, interval: 5s}}
targets:
  staging: {{kubeconfig: {kubeconfig}, namespace: {staging}}}
  prod: {{kubeconfig: {kubeconfig}, namespace: {prod}}}
secrets:
  hook: {{file: hook, environments: [shop/web], hosts: ['127.0.0.1']}}
notifications:
  window: 200ms
  channels:
    chat: {{type: webhook, url: '{receiver}/{name}/chat'}}
    mail:
      type: email
      from: {{address: gitops-wf@example.com, host: 127.0.0.1, port: {smtp}, tls: none}}
      to: [{name}@example.com]
"""

Stores = Callable[[], AbstractContextManager[str]]

_PROCESSES = threading.Lock()
"""multiprocessing collects every ended child in whichever thread asks."""


@dataclass
class Daemon:
    """The daemon's process, forked; each call may come from any thread."""

    folder: Path
    process: Any = None

    def start(self, point: Point | None) -> None:
        with _PROCESSES:
            self.process = FORKSERVER.Process(
                target=serve, args=(self.folder, point), daemon=True
            )
            self.process.start()

    def exit_code(self) -> int | None:
        with _PROCESSES:
            code: int | None = self.process.exitcode
            return code

    def kill(self) -> None:
        with _PROCESSES:
            if self.process is not None:
                self.process.kill()
                self.process.join()
                self.process.close()
                self.process = None


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What all worlds share, and the repository that each gets a copy of."""

    folder: Path
    sandbox: sandbox_process.Sandbox
    cluster: KubeCluster
    receiver: HttpReceiver
    mailbox: Mailbox
    remote: Path
    release: str
    approved: str
    stores: Stores
    names: Iterator[int] = field(default_factory=count)


@contextmanager
def servers(folder: Path, stores: Stores) -> Iterator[Servers]:
    """Start what worlds share; ``stores`` makes databases, "" a file of the world's."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process.running(folder))
        remote = bare_repository(folder / "template.git")
        work = GitWorkTree.init(folder / "work", remote=str(remote))
        work.push_commit({"envs/first/workflow.yaml": PRINT}, "First")
        release = work.commit(
            {
                "envs/web/environment.yaml": ENVIRONMENT,
                "envs/web/workflow.yaml": WORKFLOW,
                "envs/web/web.yaml": MANIFESTS,
            },
            "Release",
        )
        work.push(refspec="HEAD:refs/heads/release")
        by = approval(release, "go-live", by=work.author)
        approved = work.commit({"envs/web/approvals.yaml": by}, "Approve")
        work.push(refspec="HEAD:refs/heads/approved")
        yield Servers(
            folder=folder,
            sandbox=sandbox,
            cluster=KubeCluster(kubeconfig_access(sandbox.kubeconfig)),
            receiver=stack.enter_context(http_receiver()),
            mailbox=stack.enter_context(smtp_server()),
            remote=remote,
            release=release,
            approved=approved,
            stores=stores,
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What those outside the daemon saw of a release, and what its store says."""

    messages: Counter[str]
    writes: Counter[str]
    writes_after: tuple[str, ...] = ()
    messages_after: Counter[str] = field(default_factory=Counter)
    objects: frozenset[str] = frozenset()
    revisions: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Killed:
    """How things stood when the process was gone."""

    point: Point
    unrecorded: tuple[str, ...]
    succeeded: frozenset[str]
    writes: int
    messages: Counter[str]


class NotReachedError(AssertionError):
    """The release ended, and the point did not come."""

    def __init__(self, passings: int) -> None:
        super().__init__(f"its site was passed {passings} times")
        self.passings = passings


class World:
    """One release from its first commit to its end, on its own store and names."""

    def __init__(self, shared: Servers, store: str) -> None:
        self.shared = shared
        self.name = f"w{next(shared.names)}"
        self.folder = shared.folder / self.name
        self.folder.mkdir()
        self.namespaces = [f"{self.name}-staging", f"{self.name}-prod"]
        self.remote = self.folder / "shop.git"
        shutil.copytree(shared.remote, self.remote)
        for name in self.namespaces:
            shared.cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        (self.folder / "hook").write_text(f"{shared.receiver.url}/{self.name}/hook")
        self.store = store or str(self.folder / "store.db")
        config = CONFIG.format(
            store=self.store,
            url=self.remote,
            kubeconfig=shared.sandbox.kubeconfig,
            staging=self.namespaces[0],
            prod=self.namespaces[1],
            receiver=shared.receiver.url,
            smtp=shared.mailbox.port,
            name=self.name,
        )
        (self.folder / "gitops-wf.yaml").write_text(config)
        self.journal = Journal(self.folder / "journal.jsonl")
        self.daemon = Daemon(self.folder)
        self.killed: Killed | None = None
        self._reading: ReadingStore | None = None

    # --- the release ---

    def run(self, point: Point | None) -> Evidence:
        """Release, die at the point, begin again, and go on to the end."""
        self.daemon.start(point)
        try:
            self._wait(lambda: self._stands("first") == "Succeeded", "the first run")
            self._push("release")
            self._wait(lambda: self._stands("web") == "Suspended", "the suspension")
            # Else one mail could tell of both ends, or two: as the kill has it.
            self._wait(lambda: not self._untold(), "what is told of the suspension")
            self._push("approved")
            self._wait(lambda: self._stands("web") == "Succeeded", "the end")
            self._wait(lambda: not self.leftovers(), "the queue to be empty")
            if point is not None and self.killed is None:
                # Its last act may have been the point.
                self._wait(self._is_settled, "the kill to be seen")
                if self.killed is None:
                    raise NotReachedError(self._passings(point.site))
                self._wait(lambda: not self.leftovers(), "the queue to be empty")
            return self._evidence()
        finally:
            self.daemon.kill()
            if self._reading is not None:
                self._reading.close()

    def _passings(self, site: str) -> int:
        return sum(line["site"] == site for line in self.journal.lines("passed"))

    def _is_settled(self) -> bool:
        return self.killed is not None or not self.journal.lines("killed")

    def _push(self, branch: str) -> None:
        run_git(self.remote, "update-ref", "refs/heads/main", f"refs/heads/{branch}")

    def _wait(self, look: Callable[[], bool], what: str) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE / LOOK)):
            code = self.daemon.exit_code()
            if code is not None:
                self._go_on(code)
            elif look():
                return
            pause.wait(LOOK)
        raise AssertionError(
            f"waited for {what}; {self._runs()} {self.leftovers()}\n{self.log[-8000:]}"
        )

    def _go_on(self, code: int) -> None:
        """Begin again after the kill; any other end of the process is a failure."""
        lines = self.journal.lines("killed")
        assert code == -signal.SIGKILL, f"ended with {code}\n{self.log[-8000:]}"
        assert len(lines) == 1, f"killed by somebody else: {lines}"
        assert self.killed is None, "killed twice"
        [line] = lines
        point = Point(site=line["site"], nth=line["nth"], when=line["when"])
        self.killed = Killed(
            point=point,
            unrecorded=tuple(line["unrecorded"]),
            succeeded=self._succeeded(),
            writes=len(self.writes()),
            messages=self.messages(),
        )
        self.daemon.kill()
        self.daemon.start(None)

    # --- what the store says ---

    @property
    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    def _open(self) -> ReadingStore | None:
        if self._reading is None:
            try:
                self._reading = open_for_reading(self.store)
            except GitOpsError:
                return None  # it is being made
        return self._reading

    def _runs(self) -> dict[str, Run]:
        store = self._open()
        if store is None:
            return {}
        with store.read() as reader:
            runs = reader.runs()
        return {environment_name(run.subject.environment): run for run in runs}

    def _stands(self, environment: str) -> str:
        """The phase of an environment's one revision."""
        store = self._open()
        if store is None:
            return ""
        with store.read() as reader:
            found = reader.revisions(EnvironmentId(f"shop/{environment}"))
        return found[0].phase.value if found else ""

    def _succeeded(self) -> frozenset[str]:
        """The steps of the release that were recorded as succeeded."""
        run = self._runs().get("web")
        steps = run.steps if run else ()
        return frozenset(s.name for s in steps if s.phase is Phase.SUCCEEDED)

    def _untold(self) -> list[str]:
        """What is still to be told: of events, and messages that were asked for."""
        store = self._open()
        assert store is not None
        with store.read() as reader:
            waiting = [f"{topic.topic} is not told" for topic in reader.open_topics()]
        with store.engine.connect() as connection:
            outbox = connection.execute(text("SELECT payload FROM outbox")).scalars()
            phases = [json.loads(payload)["phase"] for payload in outbox]
        return waiting + [
            f"a message is {phase}" for phase in phases if phase != "Sent"
        ]

    def leftovers(self) -> list[str]:
        """What would go on for ever: queued work, messages and steps without end."""
        store = self._open()
        assert store is not None
        prefix = "dbos." if store.engine.dialect.name == "postgresql" else ""
        with store.engine.connect() as connection:
            rows = connection.execute(
                text(
                    f"SELECT workflow_uuid, status FROM {prefix}workflow_status"
                    " WHERE status NOT IN ('SUCCESS')"
                )
            ).all()
        left = [f"work {row[0]} is {row[1]}" for row in rows]
        left += self._untold()
        for run in self._runs().values():
            left += [
                f"step {step.name} is {step.phase}"
                for step in run.steps
                if not step.phase.is_final
            ]
        return left

    # --- what the witnesses say ---

    def messages(self) -> Counter[str]:
        """Every message by its idempotency key, and how often it arrived."""
        hook = self.shared.receiver.at(f"/{self.name}/hook")
        chat = self.shared.receiver.at(f"/{self.name}/chat")
        mails = [
            str(message_from_bytes(mail.content)["Message-ID"])
            for mail in list(self.shared.mailbox.mails)
            if mail.rcpt_tos == [f"{self.name}@example.com"]
        ]
        keys = [one.headers.get("idempotency-key", "none") for one in (*hook, *chat)]
        return Counter([*keys, *mails])

    def writes(self) -> list[str]:
        """Every write to the cluster that was answered, in order."""
        lines = self.shared.sandbox.log.read_text().rpartition("\n")[0].splitlines()
        found = []
        for line in map(json.loads, lines):
            place = line["path"].partition(f"/namespaces/{self.name}-")[2]
            if line["method"] != "GET" and "/" in place:
                found.append(f"{line['method']} {place} {line['code']}")
        return found

    def _objects(self) -> frozenset[str]:
        cluster = self.shared.cluster
        found = set()
        for namespace in self.namespaces:
            for version, kind in (
                ("v1", "ConfigMap"),
                ("apps/v1", "Deployment"),
                ("batch/v1", "Job"),
            ):
                for one in cluster.list(cluster.resource(version, kind), namespace):
                    place = namespace.partition("-")[2]
                    found.add(f"{place}/{kind}/{one['metadata']['name']}")
        return frozenset(found)

    def _evidence(self) -> Evidence:
        store = self._open()
        assert store is not None
        with store.read() as reader:
            revisions = tuple(
                f"{r.environment}#{r.number} {r.phase}" for r in reader.revisions()
            )
        writes, messages = self.writes(), self.messages()
        before = self.killed
        return Evidence(
            messages=messages,
            writes=Counter(writes),
            writes_after=tuple(writes[before.writes :]) if before else (),
            messages_after=messages - before.messages if before else Counter(),
            objects=self._objects(),
            revisions=revisions,
            leftovers=tuple(self.leftovers()),
        )

    def problems(self, undisturbed: Evidence, found: Evidence) -> list[str]:
        """What a kill changed that it must not change."""
        assert self.killed is not None
        told = []
        for what in ("revisions", "objects", "leftovers"):
            here, there = getattr(found, what), getattr(undisturbed, what)
            if here != there:
                told.append(f"{what} are {here}, without a kill {there}")
        for key in found.messages.keys() | undisturbed.messages.keys():
            arrived, most = found.messages[key], undisturbed.messages[key]
            if key in self.killed.unrecorded:
                most += 1
            if not undisturbed.messages[key] <= arrived <= most:
                told.append(f"message {key} arrived {arrived} times")
        told += [
            f"{write}: {found.writes[write]} times"
            for write in found.writes.keys() | undisturbed.writes.keys()
            if found.writes[write] != undisturbed.writes[write]
        ]
        told += [f"after it had succeeded: {each}" for each in self._repeated(found)]
        key = (self.folder / ".gitops-wf" / "digest.key").read_text()
        if len(key) != 64:
            told.append(f"the digest key is {len(key)} characters long")
        return told

    def _repeated(self, found: Evidence) -> list[str]:
        """What a step did again although the store said that it had succeeded."""
        assert self.killed is not None
        writes = {
            "to-staging": [w for w in found.writes_after if " staging/" in w],
            "seed": [w for w in found.writes_after if " staging/jobs" in w],
            "to-prod": [w for w in found.writes_after if " prod/" in w],
        }
        writes["to-staging"] = [w for w in writes["to-staging"] if "/jobs" not in w]
        again = [w for step in self.killed.succeeded for w in writes.get(step, ())]
        for step in self.killed.succeeded & {"call", "tell", "farewell"}:
            again += [m for m in found.messages_after if f"/{step}" in m]
        return again

    def duplicates(self, found: Evidence) -> dict[str, int]:
        """Messages that arrived more than once."""
        return {key: times for key, times in found.messages.items() if times > 1}


def released(shared: Servers, point: Point | None) -> tuple[World, Evidence]:
    """Run a release in a new world."""
    with shared.stores() as store:
        world = World(shared, store)
        return world, world.run(point)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of one point."""

    point: Point
    problems: tuple[str, ...] = ()
    duplicates: int = 0
    misses: int = 0
    is_reached: bool = True
    where: str = ""


TRIES = 3
"""A look more or less, on a busy machine, moves what comes after it."""

MOST_UNREACHED = 0.1
"""Which part of the points may be what only the undisturbed release happened to do."""


class Crashes:
    """Releases on the same servers: one undisturbed, then one killed a point."""

    def __init__(self, shared: Servers) -> None:
        self.shared = shared
        world, self.undisturbed = released(shared, None)
        self.points = [
            Point(site=line["site"], nth=line["nth"], when=when)
            for line in world.journal.lines("passed")
            for when in ("before", "after")
        ]

    def at_records(self) -> list[Point]:
        """Where the daemon writes to what is its own: the store, the clone, files.

        Without FULL one COMMIT of each site, from the middle, before and after in turn.
        """
        commits = [point for point in self.points if point.is_commit]
        on_disk = [point for point in self.points if point.is_on_disk]
        if is_full():
            return commits + on_disk
        same: dict[tuple[str, str], list[Point]] = {}
        for point in commits:
            same.setdefault((point.site, point.when), []).append(point)
        middle = [points[len(points) // 2] for _, points in sorted(same.items())]
        return middle[::3] + on_disk[::2]

    def at_effects(self) -> list[Point]:
        """Where it writes to a cluster, or sends a message.

        Without FULL only between the effect and its record.
        """
        here = {*self.points} - {p for p in self.points if p.is_commit or p.is_on_disk}
        return sorted(p for p in here if is_full() or p.when == "after")

    def try_all(self, points: Sequence[Point]) -> list[Tried]:
        """Kill at each of the points, several worlds at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._try, points))

    def _try(self, point: Point) -> Tried:
        """Try it, and note down at once what came of it: a full run is long."""
        tried = self._tried(point)
        with _PROCESSES, (self.shared.folder / "tried.txt").open("a") as file:
            file.write(f"{point}: {'; '.join(tried.problems) or 'passed'}\n")
        return tried

    def _tried(self, point: Point) -> Tried:
        """Try it; where a release passes the site less often, at the last passing."""
        for misses in range(TRIES):
            with self.shared.stores() as store:
                world = World(self.shared, store)
                try:
                    found = world.run(point)
                except NotReachedError as error:
                    point = replace(point, nth=max(1, error.passings))
                    continue
                except AssertionError as error:
                    told = (str(error),)
                    return Tried(point=point, problems=told, where=str(world.folder))
                return Tried(
                    point=point,
                    problems=tuple(world.problems(self.undisturbed, found)),
                    duplicates=len(world.duplicates(found)),
                    misses=misses,
                    where=str(world.folder),
                )
        return Tried(point=point, misses=TRIES, is_reached=False)


def complaint(tried: Sequence[Tried]) -> str:
    """What is wrong with what came of the points; empty if nothing is."""
    unreached = sum(not one.is_reached for one in tried)
    if unreached > MOST_UNREACHED * len(tried):
        return f"{unreached} of {len(tried)} points were not reached{report(tried)}"
    return report(tried) if any(one.problems for one in tried) else ""


def is_full() -> bool:
    """Whether every point is asked for."""
    return os.environ.get(FULL) == "full"


def databases() -> tuple[str, ...]:
    """Where the store is, in turn."""
    return ("sqlite", "postgresql") if is_full() else ("sqlite",)


@contextmanager
def crashes_on(database: str, folder: Path) -> Iterator[Crashes]:
    """Start everything and run the undisturbed release, on one of the databases."""
    with ExitStack() as stack:
        stores: Stores = partial(nullcontext, "")
        if database == "postgresql":
            stores = stack.enter_context(postgres_server()).database
        yield Crashes(stack.enter_context(servers(folder, stores)))


def table(tried: Sequence[Tried]) -> str:
    """What came of the points, a line a site."""
    sites: dict[str, list[Tried]] = {}
    for one in tried:
        sites.setdefault(one.point.site, []).append(one)
    lines = [f"{'points':>6} {'failed':>6} {'twice':>5} {'missed':>6}  site"]
    rows = [(site, sites[site]) for site in sorted(sites)] + [("in all", [*tried])]
    lines += [
        f"{len(of):6} {sum(bool(t.problems) for t in of):6} "
        f"{sum(t.duplicates for t in of):5} {sum(t.misses for t in of):6}  {site}"
        for site, of in rows
    ]
    return "\n".join(lines)


def report(tried: Sequence[Tried]) -> str:
    """The table, and every point that failed with its reasons."""
    told = [
        f"{t.point} ({t.where}): {'; '.join(t.problems)}" for t in tried if t.problems
    ]
    told += [f"{t.point}: not reached" for t in tried if not t.is_reached]
    return "\n".join(["", table(tried), *told])
