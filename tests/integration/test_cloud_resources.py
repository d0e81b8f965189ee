"""Releases with a cloud resource: made on the hub, copied, kept, and gone with its folder.

The clusters are namespaces of a sandbox, whose annotations play the cloud.
"""

import base64
import threading
import uuid
from datetime import timedelta

import pytest
import yaml

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.core.environment import Drift
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.policy import Freeze, Gate, Policy, PolicyRule, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery.names import hub_namespace
from gitops_wf.ports.cluster import ClusterUnavailableError
from gitops_wf.ports.observer import Unobserved
from gitops_wf.services.announce import Announcer
from gitops_wf.services.upkeep import Upkeep
from gitops_wf.services.watched_store import Recorder
from tests import sandbox_process
from tests.clusters import eventually
from tests.crds import definitions
from tests.delivering import Places
from tests.releases import ReleaseLine, approval

TERRAFORM = "terraform.core.oam.dev/v1beta2"
HUB = TargetName("hub")
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [eu, us]\n"
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        cluster = KubeCluster(kubeconfig_access(running.kubeconfig))
        for definition in definitions("terraform"):
            cluster.create(definition)

        def served():
            try:
                return cluster.resource(TERRAFORM, "Configuration")
            except TerminalError:
                return None

        eventually(served)
        yield cluster


def never(seconds):
    raise AssertionError("the store of these tests is never away")


class Shop:
    """A release line with a hub and two targets, and what looks after its releases."""

    def __init__(self, path, cluster, rulebook=None):
        mark = uuid.uuid4().hex[:8]
        self.cluster = cluster
        self.name = f"prod-{mark}"
        self.id = EnvironmentId(f"shop/{self.name}")
        self.home = hub_namespace(self.id)
        self.eu, self.us = f"eu-{mark}", f"us-{mark}"
        for name in (f"hub-{mark}", self.eu, self.us):
            cluster.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        rules = cloud_rules()
        self.line = ReleaseLine(
            path,
            rulebook=rulebook,
            targets=("eu",),
            catalogue=EntryPointCatalogue(),
            known=Known(targets=frozenset({"hub", "eu", "us"}), hub=HUB, cloud=rules),
            capabilities={
                "clusters": Places(
                    places={
                        "hub": (cluster, f"hub-{mark}"),
                        "eu": (cluster, self.eu),
                        "us": (cluster, self.us),
                    }
                ),
                "manifests": read_manifests,
                "digest_key": Secret("key"),
                "health": health_rules(),
                "cloud": rules,
            },
        )
        self.upkeep = Upkeep(
            store=self.line.store,
            clock=self.line.clock,
            runners=self.line.runners,
            approvals=self.line.approvals,
            announcer=Announcer(executor=self.line.executor, channels={}),
            recorder=Recorder(wait=never),
            observer=Unobserved(),
            reaching=self.line.reaching,
            conditions=self.line.target_conditions,
            drift=Drift(interval=timedelta(minutes=5), self_heal=False),
            shared_age=timedelta(),  # its clock is not the test's
        )

    def commit(self, password="one", more="", **files):
        annotations = {
            "sandbox.gitops-wf.io/status": "{apply: {state: Available}}",
            "sandbox.gitops-wf.io/secret": f"{{PASSWORD: {password}}}",
            "sandbox.gitops-wf.io/delay": "10ms",
        }
        database = {
            "apiVersion": TERRAFORM,
            "kind": "Configuration",
            "metadata": {"name": "database", "annotations": annotations},
            "spec": {"writeConnectionSecretToRef": {"name": "db"}},
        }
        folder = f"envs/{self.name}"
        texts = {
            "environment.yaml": HEAD + more,
            "database.yaml": yaml.safe_dump(database),
            "web.yaml": WEB,
            **files,
        }
        return self.line.commit({f"{folder}/{k}": v for k, v in texts.items()})

    def settle(self, *phases):
        """Let the sandbox and the line go on until the revisions stand like this."""
        for _ in range(300):
            self.line.settle()
            if self.line.phases(self.name) == list(phases):
                return
            threading.Event().wait(0.02)
            self.line.wait(timedelta(seconds=10))
        raise AssertionError(self.line.run(self.name))

    def look(self, after=timedelta(minutes=2)):
        """Let time pass and look once; return the kinds of what was told by that."""
        self.line.clock.pass_time(after)
        before = len(self.line.events())
        self.upkeep.look(self.id)
        return [event.kind for event in self.line.events()[before:]]

    def get(self, kind, namespace, name, version="v1"):
        return self.cluster.get(self.cluster.resource(version, kind), namespace, name)

    def password(self, namespace):
        found = self.get("Secret", namespace, "db")
        return found and base64.b64decode(found["data"]["PASSWORD"]).decode()

    def rotate(self, password):
        """Have the cloud rotate the password behind Git's back."""
        found = self.get("Secret", self.home, "db")
        del found["metadata"]["ownerReferences"]
        data = {"PASSWORD": base64.b64encode(password.encode()).decode()}
        self.cluster.replace({**found, "data": data})


@pytest.fixture
def shop(tmp_path, cluster):
    made = Shop(tmp_path, cluster)
    yield made
    made.line.close()


def test_without_a_workflow_the_database_comes_first_and_each_target_has_its_secret(
    shop,
):
    shop.commit()

    shop.settle("Succeeded")

    run = shop.line.run(shop.name)
    assert [(step.name, step.target) for step in run.steps] == [
        ("cloud-resources", None),
        ("cloud-resources/hub", "hub"),
        ("cloud-resources/eu", "eu"),
        ("cloud-resources/us", "us"),
        ("deploy-eu", "eu"),
        ("deploy-us", "us"),
    ]
    assert shop.get("Configuration", shop.home, "database", TERRAFORM)
    assert shop.get("Configuration", shop.eu, "database", TERRAFORM) is None
    assert [shop.password(shop.eu), shop.password(shop.us)] == ["one", "one"]
    assert shop.look() == []


def test_a_rotation_is_copied_without_self_heal_and_told_as_renewed(shop):
    shop.commit()
    shop.settle("Succeeded")

    shop.rotate("two")

    assert shop.look() == ["renewed", "renewed"]
    assert [shop.password(shop.eu), shop.password(shop.us)] == ["two", "two"]
    assert shop.look(timedelta(minutes=10)) == []
    assert "two" not in str(shop.line.events())


def test_a_freeze_holds_a_rotation_and_says_so(tmp_path, cluster):
    frozen = Freeze(
        name="all",
        windows=(
            Window(
                kind=WindowKind.DENY,
                schedule="0 0 * * *",
                duration=timedelta(days=1),
                time_zone="UTC",
                targets=("eu",),
            ),
        ),
    )
    shop = Shop(tmp_path, cluster)
    shop.commit()
    shop.settle("Succeeded")
    rule = PolicyRule(environments=("*",), policy=Policy(), freeze=frozen)
    shop.upkeep.approvals = type(shop.line.approvals)(rulebook=Rulebook(rules=(rule,)))

    shop.rotate("two")
    told = shop.look()

    assert told == ["renewed"]
    assert [shop.password(shop.eu), shop.password(shop.us)] == ["one", "two"]
    with shop.line.store.read() as reader:
        assert "frozen" in reader.upkeep(shop.id)[TargetName("eu")].held
    shop.line.close()


def test_the_hubs_gate_holds_the_database_until_it_is_approved(tmp_path, cluster):
    gate = Gate(target=HUB, policy=Policy(approvers=("ann@example.com",)))
    shop = Shop(tmp_path, cluster, Rulebook(gates={HUB: gate}))

    sha = shop.commit()
    shop.settle("Suspended")
    assert shop.line.run(shop.name).step("cloud-resources/hub").reason == (
        "ApprovalRequired"
    )
    assert shop.get("Namespace", "", shop.home) is None

    shop.line.commit(
        {f"envs/{shop.name}/approvals.yaml": approval(sha, "cloud-resources", by=None)},
        author="Ann <ann@example.com>",
    )
    shop.settle("Succeeded")
    assert shop.password(shop.us) == "one"
    shop.line.close()


def test_an_environment_that_may_not_use_the_hub_makes_nothing_there(tmp_path, cluster):
    rule = PolicyRule(
        environments=("*",), policy=Policy(), targets=("eu", "us"), freeze=None
    )
    shop = Shop(tmp_path, cluster, Rulebook(rules=(rule,)))

    shop.commit()
    shop.settle("Failed/TargetNotAllowed")

    assert shop.get("Namespace", "", shop.home) is None
    shop.line.close()


def test_a_removed_folder_takes_the_database_and_the_copies_along(shop):
    shop.commit(more="onRemove: delete\n")
    shop.settle("Succeeded")

    folder = f"envs/{shop.name}"
    shop.line.commit(
        {
            f"{folder}/{name}": None
            for name in ("environment.yaml", "database.yaml", "web.yaml")
        }
    )
    shop.settle("Succeeded", "Succeeded")

    assert shop.get("Configuration", shop.home, "database", TERRAFORM) is None
    assert shop.password(shop.eu) is None
    assert shop.password(shop.us) is None


def test_after_the_loss_of_the_store_the_inventories_of_hub_and_targets_prove_it(shop):
    shop.commit()
    shop.settle("Succeeded")

    shop.line.lose_store()
    shop.line.settle()

    assert shop.line.phases(shop.name) == ["Succeeded/Adopted"]


def test_no_value_of_a_secret_is_in_the_store(shop):
    shop.commit(password="hunter22-canary")
    shop.settle("Succeeded")
    shop.rotate("rotated-canary")
    assert shop.look() == ["renewed", "renewed"]

    folder = shop.line.store_file.parent
    files = list(folder.glob(f"{shop.line.store_file.name}*"))
    stored = b"".join(file.read_bytes() for file in files)

    assert b"copied Secret" in stored
    for value in ("hunter22-canary", "rotated-canary"):
        assert value.encode() not in stored
        assert base64.b64encode(value.encode()) not in stored


class Away:
    """A cluster that does not answer."""

    has_status = True

    def __getattr__(self, name):
        def refuse(*_args, **_more):
            raise ClusterUnavailableError("connection refused")

        return refuse


def test_a_hub_that_does_not_answer_is_named_and_the_target_is_not_blamed(shop):
    shop.commit()
    shop.settle("Succeeded")
    places = shop.line.capabilities["clusters"].places
    places["hub"] = (Away(), places["hub"][1])

    assert shop.look() == []

    with shop.line.store.read() as reader:
        problem = reader.upkeep(shop.id)[TargetName("eu")].problem
    assert problem == (
        "cannot be compared: hub hub does not answer: connection refused"
    )
