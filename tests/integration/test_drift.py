"""A released revision is compared with what is live, and healed where that is asked.

The cluster is a sandbox process; its own request log and objects are the witnesses.
"""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.environment import Drift
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.policy import Freeze, Gate, Policy, PolicyRule, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.core.upkeep.state import Lease, UpkeepState
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.cluster import ClusterUnavailableError
from gitops_wf.ports.observer import Unobserved
from gitops_wf.services.announce import Announcer
from gitops_wf.services.brake import Brake
from gitops_wf.services.query import Query
from gitops_wf.services.upkeep import LEASE, Upkeep
from gitops_wf.services.upkeep_rounds import UpkeepRounds
from gitops_wf.services.watched_store import Recorder
from tests import sandbox_process
from tests.delivering import OneCluster
from tests.gitworktree import ANN
from tests.releases import ReleaseLine, approval

PROD = EnvironmentId("shop/prod")
OTHER = EnvironmentId("shop/other")
HERE = TargetName("here")
MINUTE = timedelta(minutes=1)
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{k: '{value}'}}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter22}\n"
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [here]\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1'}]}
"""


HELM_HOOK = "helm.sh/hook: pre-install"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def never(seconds):
    raise AssertionError("the store of these tests is never away")


class Meanwhile:
    """A cluster on which something happens during the first dry run."""

    def __init__(self, cluster, act):
        self._cluster = cluster
        self._act = [act]

    def __getattr__(self, name):
        return getattr(self._cluster, name)

    def apply(self, manifest, *, force=False, dry_run=False):
        if dry_run and self._act:
            self._act.pop()()
        return self._cluster.apply(manifest, force=force, dry_run=dry_run)


class Daemon:
    """A release line on a sandbox, with what looks after its releases."""

    def __init__(self, path, sandbox, *, rulebook=None, drift=None):
        self.sandbox = sandbox
        self.namespace = f"gw-{uuid.uuid4().hex[:8]}"
        self.cluster = KubeCluster(kubeconfig_access(sandbox.kubeconfig))
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace},
            }
        )
        self.drift = drift or Drift(interval=5 * MINUTE, self_heal=False)
        self.line = ReleaseLine(
            path,
            rulebook=rulebook,
            targets=("here",),
            catalogue=EntryPointCatalogue(),
            capabilities={
                "clusters": OneCluster(one=self.cluster, place=self.namespace),
                "manifests": read_manifests,
                "digest_key": Secret("key"),
            },
        )
        self.sent = []
        self.upkeep = self.looking()

    def looking(self):
        line = self.line
        return Upkeep(
            store=line.store,
            clock=line.clock,
            runners=line.runners,
            approvals=line.approvals,
            announcer=Announcer(
                executor=line.executor,
                channels={
                    "ops": {"type": "webhook", "url": {"value": "https://x.example/"}}
                },
            ),
            recorder=Recorder(wait=never),
            observer=Unobserved(),
            reaching=line.reaching,
            conditions=line.target_conditions,
            drift=self.drift,
            shared_age=timedelta(),  # its clock is not the test's
        )

    def release(self, *manifests, drift="", more="", workflow=""):
        """Commit these manifests and nothing else; wait until they are released."""
        text = HEAD + (f"drift: {drift}\n" if drift else "") + more
        files = {"envs/prod/environment.yaml": text}
        files["envs/prod/all.yaml"] = "---\n".join(manifests)
        if workflow:
            files["envs/prod/workflow.yaml"] = workflow
        sha = self.line.commit(files)
        self.line.settle()
        return sha

    def settle(self):
        """Let the sandbox and the line go on until the newest revision has ended."""
        for _ in range(300):
            if self.line.revisions("prod")[-1].phase.is_final:
                return
            threading.Event().wait(0.05)
            self.line.wait(timedelta(seconds=10))
        raise AssertionError(self.line.run("prod"))

    def look(self, after=2 * MINUTE):
        """Let time pass and look once; return the kinds of what was told by that."""
        self.line.clock.pass_time(after)
        before = len(self.line.events())
        self.again = self.upkeep.look(PROD)
        new = self.line.events()[before:]
        self.messages = [event.message for event in new]
        return [event.kind for event in new]

    def get(self, kind, name, version="v1"):
        resource = self.cluster.resource(version, kind)
        return self.cluster.get(resource, self.namespace, name)

    def edit(self, kind, name, change, *, version="v1", manager="kubectl-edit"):
        """Change a live object as somebody would with kubectl."""
        found = self.get(kind, name, version)
        change(found)
        path = {
            "ConfigMap": "configmaps",
            "Secret": "secrets",
            "Deployment": "deployments",
        }
        root = "api/v1" if version == "v1" else f"apis/{version}"
        url = f"/{root}/namespaces/{self.namespace}/{path[kind]}/{name}"
        answer = self.cluster._transport.request(
            "PUT", url, query={"fieldManager": manager}, body=found
        )
        assert answer.status == 200, answer.body

    def delete(self, kind, name, version="v1"):
        ref = ObjectRef.of(self.get(kind, name, version))
        self.cluster.delete(ref, version.rpartition("/")[2])

    def state(self):
        with self.line.store.read() as reader:
            return reader.upkeep(PROD).get(HERE)

    def view(self):
        config = DaemonConfig(
            path="",
            directory="",
            store="",
            instance="test",
            repositories=(self.line.watched.config,),
            targets={},
        )
        return Query(store=self.line.store, config=config)

    def writes(self):
        return [
            path for method, path in self.sandbox.writes() if self.namespace in path
        ]


@pytest.fixture
def make(tmp_path, sandbox):
    made = []

    def daemon(**more):
        made.append(Daemon(tmp_path, sandbox, **more))
        return made[-1]

    yield daemon
    for each in made:
        each.line.close()


@pytest.fixture
def daemon(make):
    return make()


def set_data(value):
    def change(manifest):
        manifest["data"]["k"] = value

    return change


def value(daemon, name="a"):
    return daemon.get("ConfigMap", name)["data"]["k"]


def test_an_edit_by_hand_is_told_once_and_so_is_its_end(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    assert daemon.line.phases("prod") == ["Succeeded"]
    assert daemon.look() == []

    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == ["drift"]
    (text,) = daemon.messages
    assert f"differs from Git on here: ConfigMap/{daemon.namespace}/a: " in text
    assert '/data/k is "2", Git says "1" (by kubectl-edit)' in text
    assert daemon.look() == []
    assert value(daemon) == "2"

    daemon.edit("ConfigMap", "a", set_data("1"))
    assert daemon.look() == ["healed"]
    assert daemon.look() == []
    assert daemon.state() is None


def test_self_heal_puts_back_what_was_edited_and_what_was_deleted(daemon):
    daemon.release(
        CONFIG.format(name="a", value="1"),
        CONFIG.format(name="b", value="1"),
        CONFIG.format(name="c", value="1"),
        drift="{selfHeal: true}",
    )
    untouched = daemon.get("ConfigMap", "c")
    daemon.edit("ConfigMap", "a", set_data("2"))
    daemon.delete("ConfigMap", "b")
    before = len(daemon.writes())

    assert daemon.look() == ["drift", "healed"]

    assert (value(daemon, "a"), value(daemon, "b")) == ("1", "1")
    assert daemon.get("ConfigMap", "c") == untouched
    written = {
        path.rpartition("/")[2].partition("?")[0] for path in daemon.writes()[before:]
    }
    assert written == {"a", "b"}
    assert daemon.state().lease is None
    assert daemon.look() == []


def test_a_look_where_nothing_differs_lists_once_for_each_kind_and_writes_nothing(
    daemon,
):
    names = [f"c{number}" for number in range(20)]
    daemon.release(*(CONFIG.format(name=name, value="1") for name in names))
    daemon.look()
    requests, writes = len(daemon.sandbox.requests()), len(daemon.writes())

    assert daemon.look() == []

    made = daemon.sandbox.requests()[requests:]
    assert [method for method, _ in made] == ["GET"]
    assert "/configmaps?" in made[0][1]
    assert daemon.writes()[writes:] == []


def test_what_the_server_writes_in_another_form_is_asked_once_and_is_no_drift(daemon):
    web = WEB.replace(
        "image: 'nginx:1'", "image: 'nginx:1', resources: {limits: {cpu: 1000m}}"
    )
    daemon.release(web)
    daemon.settle()

    assert daemon.look() == []
    before = len(daemon.writes())
    assert daemon.look() == []
    assert daemon.writes()[before:] == []


def test_values_of_secrets_are_told_nowhere(daemon):
    daemon.release(SECRET)

    def change(manifest):
        manifest["data"]["password"] = "YW5vdGhlcjMz"

    daemon.edit("Secret", "s", change)

    assert daemon.look() == ["drift"]
    assert "/data/password is ***, Git says ***" in daemon.messages[0]
    shown = str(daemon.view().environment(PROD).as_json())
    assert "YW5vdGhlcjMz" not in shown
    assert "hunter22" not in shown


def test_an_ignored_path_is_no_drift_and_is_not_healed_back(daemon):
    rule = "{paths: [/data/k], target: {kind: ConfigMap, name: a*}}"
    two = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '1', l: '1'}\n"
    )
    daemon.release(two, drift=f"{{selfHeal: true, ignore: [{rule}]}}")
    daemon.edit("ConfigMap", "a", set_data("2"))
    before = len(daemon.writes())

    assert daemon.look() == []
    assert daemon.writes()[before:] == []

    daemon.edit("ConfigMap", "a", lambda m: m["data"].update(l="2"))
    assert daemon.look() == ["drift", "healed"]
    assert daemon.get("ConfigMap", "a")["data"] == {"k": "2", "l": "1"}


def test_an_ignored_field_that_is_ours_outlives_a_heal_of_the_rest(daemon):
    daemon.release(
        WEB.replace("replicas: 1", "replicas: 2"),
        drift="{selfHeal: true, ignore: [{paths: [/spec/replicas]}]}",
    )
    daemon.settle()

    def image(manifest):
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"

    daemon.edit("Deployment", "web", image, version="apps/v1")

    assert daemon.look() == ["drift", "healed"]
    spec = daemon.get("Deployment", "web", "apps/v1")["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["spec"]["containers"][0]["image"] == "nginx:1"


def test_what_an_ignored_manager_owns_is_no_drift_by_a_rule_of_the_daemon_config(make):
    from gitops_wf.core.upkeep.ignoring import IgnoreRule

    rule = IgnoreRule(managers=("kube-controller-*",))
    daemon = make(drift=Drift(interval=5 * MINUTE, self_heal=True, ignore=(rule,)))
    daemon.release(WEB)
    daemon.settle()

    def scale(manifest):
        manifest["spec"]["replicas"] = 3

    daemon.edit(
        "Deployment", "web", scale, version="apps/v1", manager="kube-controller-manager"
    )

    assert daemon.look() == []
    assert daemon.get("Deployment", "web", "apps/v1")["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    "annotation",
    [
        "gitops-wf.io/drift",
        "gitops-wf.io/reconcile",
        "kustomize.toolkit.fluxcd.io/reconcile",
        "helm.toolkit.fluxcd.io/driftDetection",
    ],
)
def test_an_object_may_say_that_it_is_not_compared(daemon, annotation):
    named = CONFIG.format(name="a", value="1").replace(
        "{name: a}", f"{{name: a, annotations: {{{annotation}: disabled}}}}"
    )
    daemon.release(named)
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == []


@pytest.mark.parametrize(
    ("policy", "told"), [("IfNotPresent", ["drift"]), ("Ignore", [])]
)
def test_what_is_only_made_where_it_is_missing_may_differ_and_not_be_gone(
    daemon, policy, told
):
    mark = f"kustomize.toolkit.fluxcd.io/ssa: {policy}"
    named = CONFIG.format(name="a", value="1").replace(
        "{name: a}", f"{{name: a, annotations: {{{mark}}}}}"
    )
    daemon.release(CONFIG.format(name="b", value="1"), named)
    assert daemon.line.phases("prod") == ["Succeeded"]
    if policy == "IfNotPresent":
        daemon.edit("ConfigMap", "a", set_data("2"))
        assert daemon.look() == []
        daemon.delete("ConfigMap", "a")

    assert daemon.look() == told


def test_a_job_that_goes_once_it_is_done_is_not_run_again(daemon):
    job = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: seed}\nspec:\n"
        "  ttlSecondsAfterFinished: 600\n"
        "  template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}\n"
    )
    daemon.release(job, drift="{selfHeal: true}")
    daemon.settle()
    assert daemon.line.phases("prod") == ["Succeeded"]
    daemon.delete("Job", "seed", "batch/v1")

    assert daemon.look() == []
    assert daemon.get("Job", "seed", "batch/v1") is None


@pytest.mark.parametrize("hook", ["argocd.argoproj.io/hook: PreSync", HELM_HOOK])
def test_a_hook_is_neither_compared_nor_run_again_by_a_heal(daemon, hook):
    named = CONFIG.format(name="a", value="1").replace(
        "{name: a}", f"{{name: a, annotations: {{{hook}}}}}"
    )
    daemon.release(CONFIG.format(name="b", value="1"), named, drift="{selfHeal: true}")
    daemon.settle()
    daemon.edit("ConfigMap", "a", set_data("2"))
    edited = daemon.look()
    daemon.delete("ConfigMap", "a")

    assert (edited, daemon.look()) == ([], [])
    assert daemon.get("ConfigMap", "a") is None


def test_a_pause_holds_the_heal_and_not_the_comparison(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    line = daemon.line
    brake = Brake(
        store=line.store, clock=line.clock, by="ann", announcer=line.announcer
    )
    brake.pause([PROD], "a disk is full")
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == ["drift"]
    assert value(daemon) == "2"
    assert "paused by ann" in daemon.state().held

    brake.resume([PROD])
    assert daemon.look() == ["healed"]
    assert value(daemon) == "1"


def test_a_revision_that_is_not_let_begin_does_not_blind_it(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    daemon.release(
        CONFIG.format(name="a", value="2"),
        drift="{selfHeal: true}",
        more="suspend: true\n",
    )
    assert daemon.line.phases("prod") == ["Succeeded", "Pending/Paused"]
    daemon.edit("ConfigMap", "a", set_data("3"))

    assert daemon.look() == ["drift"]
    assert daemon.state().held == "environment.yaml says suspend: true"
    assert value(daemon) == "3"


def test_a_freeze_holds_the_heal_until_it_is_over(make):
    night = Window(
        kind=WindowKind.DENY, schedule="0 11 * * thu", duration=timedelta(hours=21)
    )
    rule = PolicyRule(environments=("*",), freeze=Freeze(name="*", windows=(night,)))
    daemon = make(rulebook=Rulebook(rules=(rule,)))
    daemon.line.clock.pass_time(timedelta(days=-1))
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    assert daemon.line.phases("prod") == ["Succeeded"]
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look(after=timedelta(days=1)) == ["drift"]
    assert "here is frozen until 2026-01-02 08:00 UTC" in daemon.state().held
    assert daemon.look(after=timedelta(hours=19)) == []
    assert daemon.look(after=timedelta(hours=2)) == ["healed"]


def test_a_gate_that_let_the_release_pass_lets_its_heal_pass(make):
    gate = Gate(target=HERE, policy=Policy(approvers=("ann@example.com",)))
    daemon = make(rulebook=Rulebook(gates={HERE: gate}))
    sha = daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    daemon.line.commit(
        {"envs/prod/approvals.yaml": approval(sha, "", by=ANN)}, author=ANN
    )
    daemon.line.settle()
    assert daemon.line.phases("prod") == ["Succeeded"]
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == ["drift", "healed"]


def test_nothing_is_compared_while_a_revision_runs_or_after_one_that_failed(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    waiting = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        "  - {name: deploy, type: deploy2env}\n  - {name: ask, type: suspend}\n"
    )
    two = daemon.release(CONFIG.format(name="a", value="2"), workflow=waiting)
    assert daemon.line.phases("prod") == ["Succeeded", "Suspended"]
    daemon.edit("ConfigMap", "a", set_data("3"))

    assert daemon.look() == []
    assert value(daemon) == "3"

    text = approval(two, "ask", by=ANN, decision="reject")
    daemon.line.commit({"envs/prod/approvals.yaml": text}, author=ANN)
    daemon.line.settle()
    assert daemon.line.phases("prod")[-1] == "Aborted/Rejected"
    assert daemon.look() == []


def test_nothing_is_compared_while_the_released_revision_runs_again(daemon):
    ask = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        "  - {name: ask, type: suspend}\n  - {name: deploy, type: deploy2env}\n"
    )
    sha = daemon.release(CONFIG.format(name="a", value="1"), workflow=ask)
    for decision, run in (("approve", None), ("redeploy", None)):
        text = approval(
            sha,
            "ask" if decision == "approve" else "",
            by=ANN,
            decision=decision,
            run=run,
        )
        daemon.line.commit({f"envs/prod/approvals/{decision}.yaml": text}, author=ANN)
        daemon.line.settle()
    assert daemon.line.phases("prod") == ["Suspended"]
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == []


def test_a_commit_that_cannot_be_read_does_not_blind_it(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    daemon.line.commit({"envs/prod/environment.yaml": "kind: Nothing\n"})
    daemon.line.settle()
    assert daemon.line.phases("prod")[-1] == "Failed/InvalidDefinition"
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look() == ["drift"]


def test_a_release_rests_a_minute_before_it_is_looked_at(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    daemon.edit("ConfigMap", "a", set_data("2"))

    assert daemon.look(after=timedelta(seconds=59)) == []
    assert daemon.again == daemon.line.clock.now() + timedelta(seconds=1)
    assert daemon.look(after=timedelta(seconds=1)) == ["drift"]


def test_an_attempt_waits_for_a_heal_that_is_being_written(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    now = daemon.line.clock.now()
    with daemon.line.store.transaction() as transaction:
        lease = Lease(holder="local", until=now + LEASE)
        transaction.save_upkeep(PROD, HERE, UpkeepState(number=1, lease=lease))

    daemon.release(CONFIG.format(name="a", value="2"))
    assert value(daemon) == "1"

    with daemon.line.store.transaction() as transaction:
        transaction.forget_upkeep(PROD, HERE)
    daemon.line.wait(timedelta(seconds=1))
    assert value(daemon) == "2"


def test_what_a_killed_process_had_leased_its_successor_ends(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    daemon.edit("ConfigMap", "a", set_data("2"))
    now = daemon.line.clock.now()
    lease = Lease(holder="local", until=now + LEASE)
    other = Lease(holder="another", until=now + LEASE)
    with daemon.line.store.transaction() as transaction:
        transaction.save_upkeep(PROD, HERE, UpkeepState(number=1, lease=lease))
        transaction.save_upkeep(OTHER, HERE, UpkeepState(number=1, lease=other))
    assert daemon.look() == []  # whoever holds it may be writing

    daemon.upkeep.end_leases()

    with daemon.line.store.read() as reader:
        assert reader.upkeeps() == {OTHER: {HERE: UpkeepState(number=1, lease=other)}}
    assert daemon.look() == ["drift", "healed"]


def test_a_run_that_begins_in_between_is_never_written_over(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    daemon.edit("ConfigMap", "a", set_data("9"))
    deploy = "{name: deploy, type: deploy2env, properties: {forceConflicts: true}}"
    workflow = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\n"
        f"steps:\n  - {deploy}\n  - {{name: ask, type: suspend}}\n"
    )
    daemon.line.clusters.one = Meanwhile(
        daemon.cluster,
        lambda: daemon.release(CONFIG.format(name="a", value="2"), workflow=workflow),
    )

    told = daemon.look()

    assert daemon.line.phases("prod") == ["Succeeded", "Suspended"]
    assert "drift" not in told
    assert daemon.state() is None
    assert value(daemon) == "2"


def test_another_daemon_s_environment_is_not_judged_nor_written(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    daemon.edit("ConfigMap", "a", set_data("2"))

    def taken(manifest):
        manifest["data"]["instance"] = "another"
        manifest["data"]["written"] = datetime.now(UTC).isoformat()

    daemon.edit("ConfigMap", "gitops-wf.shop.prod", taken)
    before = len(daemon.writes())

    assert daemon.look() == []
    assert "delivered by another daemon" in daemon.state().problem
    assert [p for p in daemon.writes()[before:] if "dryRun" not in p] == []
    assert value(daemon) == "2"


def test_what_cannot_be_healed_is_told_once_with_the_reason(daemon):
    daemon.release(
        CONFIG.format(name="a", value="1"),
        CONFIG.format(name="b", value="1"),
        drift="{selfHeal: true}",
    )

    def freeze(manifest):
        manifest["data"]["k"] = "2"
        manifest["immutable"] = True

    daemon.edit("ConfigMap", "a", freeze)
    daemon.edit("ConfigMap", "b", set_data("2"))

    assert daemon.look() == ["drift", "healed", "drift"]
    assert f"ConfigMap/{daemon.namespace}/b" in daemon.messages[1]
    assert "cannot be healed on here: " in daemon.messages[2]
    assert "immutable" in daemon.messages[2]
    assert "immutable" in daemon.state().problem
    assert daemon.look(after=6 * MINUTE) == []
    assert value(daemon, "b") == "1"


def test_who_undoes_each_heal_is_named(daemon):
    daemon.release(CONFIG.format(name="a", value="1"), drift="{selfHeal: true}")
    told = []
    for _ in range(5):
        daemon.edit("ConfigMap", "a", set_data("2"), manager="rival")
        told += zip(daemon.look(after=6 * MINUTE), daemon.messages, strict=True)

    kinds = [kind for kind, _ in told]
    assert kinds == ["drift", "healed"] * 3 + ["drift"]
    assert f"ConfigMap/{daemon.namespace}/a (/data/k): rival undoes it" in told[-1][1]
    assert value(daemon) == "1"


def test_a_pod_that_crashes_after_the_release_is_degraded_until_it_is_well(daemon):
    daemon.release(WEB)
    daemon.settle()
    assert daemon.line.phases("prod") == ["Succeeded"]

    def crash(manifest):
        annotations = {"sandbox.gitops-wf.io/fail": "CrashLoopBackOff"}
        manifest["spec"]["template"]["metadata"]["annotations"] = annotations

    def until(kinds):
        for _ in range(200):
            found = [kind for kind in daemon.look(after=MINUTE) if kind in kinds]
            if found:
                return found
            threading.Event().wait(0.05)
        raise AssertionError(daemon.state())

    daemon.edit("Deployment", "web", crash, version="apps/v1")
    assert until({"degraded"}) == ["degraded"]
    assert daemon.view().environment(PROD).is_ready is False

    def undo(manifest):
        del manifest["spec"]["template"]["metadata"]["annotations"]

    daemon.edit("Deployment", "web", undo, version="apps/v1")
    assert until({"recovered"}) == ["recovered"]
    assert daemon.view().environment(PROD).is_ready is True


def test_subscribers_are_told_each_time_anew(daemon):
    daemon.release(
        CONFIG.format(name="a", value="1"),
        more="notify: [{channel: ops, on: [drift]}]\n",
    )
    for edited in ("2", "1", "3"):
        daemon.edit("ConfigMap", "a", set_data(edited))
        daemon.look()

    asked = {work.delivery for _, _, work in daemon.line.executor._waiting}

    assert len(asked) == 2


def test_description_and_list_show_it(daemon):
    from gitops_wf.cli.description import head
    from gitops_wf.cli.rows import environments

    daemon.release(CONFIG.format(name="a", value="1"))
    daemon.edit("ConfigMap", "a", set_data("2"))
    daemon.look()
    query = daemon.view()

    (view,) = query.environments()
    told = query.describe(PROD)
    page = "\n".join(text.plain for text in head(told, daemon.line.clock.now()))
    row = " ".join(environments([view], daemon.line.clock.now()).rows[0])

    assert "Drift:        compared every 5m, reports only" in page
    assert '/data/k is "2", Git says "1" (by kubectl-edit)' in page
    assert "Succeeded, drifted" in row
    (target,) = told.as_json()["upkeep"]
    assert target["drifted"][0]["fields"] == [
        {"path": "/data/k", "desired": '"1"', "live": '"2"'}
    ]


def test_description_says_when_nothing_was_found_and_since_when_nobody_answers(daemon):
    from gitops_wf.cli.description import head
    from gitops_wf.cli.rows import environments

    def page():
        told = daemon.view().describe(PROD)
        return "\n".join(text.plain for text in head(told, daemon.line.clock.now()))

    daemon.release(CONFIG.format(name="a", value="1"))
    assert "last compared" not in page()
    daemon.look()
    daemon.line.target_conditions.act()
    daemon.line.clock.pass_time(3 * MINUTE)

    assert "here: last compared 3m ago: as Git says" in page()

    request = daemon.line.reaching.begun("here")
    daemon.line.clock.pass_time(MINUTE)
    request.lost("API server x unreachable: no answer in time", hung=True)
    daemon.line.target_conditions.act()
    daemon.line.clock.pass_time(2 * MINUTE)

    assert "here: has not answered for 3m: API server x unreachable: no an" in page()
    assert "here: last compared 6m ago: as Git says" in page()
    (view,) = daemon.view().environments()
    row = " ".join(environments([view], daemon.line.clock.now()).rows[0])
    assert "Succeeded, unreachable" in row
    assert "target here does not answer: API server x unreachable" in row
    (away,) = view.as_json()["unreachable"]
    assert away["target"] == "here"
    assert view.as_json()["compared"].keys() == {"here"}


def test_what_is_not_answered_is_told_once_and_asked_ever_more_seldom(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    asked = []

    class Away:
        def resource(self, version, kind):
            asked.append(kind)
            request = daemon.line.reaching.begun("here")
            request.lost("no route to the cluster", hung=False)
            raise ClusterUnavailableError("no route to the cluster")

    daemon.line.clusters.one = Away()

    assert daemon.look() == []
    assert daemon.again == daemon.line.clock.now() + timedelta(seconds=10)
    assert daemon.state() is None  # what is known of it stays as it was
    daemon.look(after=timedelta(seconds=9))
    assert len(asked) == 1
    daemon.look(after=timedelta(seconds=1))
    assert len(asked) == 2
    daemon.line.clusters.one = daemon.cluster
    daemon.line.reaching.begun("here").answered()
    assert daemon.look(after=timedelta(seconds=20)) == []
    assert daemon.again is None


def test_rounds_look_at_each_environment_once_an_interval(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    began = []
    rounds = UpkeepRounds(
        store=daemon.line.store,
        clock=daemon.line.clock,
        interval=daemon.upkeep.interval,
        prepare=daemon.upkeep.end_leases,
        look=daemon.upkeep.look,
        begin=began.append,
    )
    first = rounds.act()
    assert MINUTE < first - daemon.line.clock.now() <= 6 * MINUTE

    daemon.line.clock.pass_time(first - daemon.line.clock.now())
    rounds.act()
    assert began == [PROD]
    rounds.act()
    assert began == [PROD]  # it runs

    rounds.carry_out(PROD)
    assert rounds.act() == first + 5 * MINUTE


def test_an_interval_of_nothing_compares_nothing_and_forgets_what_was_found(daemon):
    daemon.release(CONFIG.format(name="a", value="1"))
    daemon.edit("ConfigMap", "a", set_data("2"))
    daemon.look()
    assert daemon.state() is not None
    daemon.release(CONFIG.format(name="b", value="1"), drift="{interval: 0s}")
    rounds = UpkeepRounds(
        store=daemon.line.store,
        clock=daemon.line.clock,
        interval=daemon.upkeep.interval,
        prepare=daemon.upkeep.end_leases,
        look=daemon.upkeep.look,
        begin=never,
    )

    assert rounds.act() is None
    assert daemon.state() is None
