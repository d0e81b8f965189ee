"""Cloud resources on a hub, and their Secrets on the targets that use them.

One cluster has all targets: the sandbox, whose annotations play the cloud's controller,
or a real API server, where a test plays it by the same annotations.
"""

import base64
import os
import uuid
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.cloud import CloudRules
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentName, StepName, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.upkeep.findings import DriftKind
from gitops_wf.definitions.cloud_file import read_shipped_cloud_rules
from gitops_wf.delivery import RehearsedClusters
from gitops_wf.delivery.names import hub_namespace
from gitops_wf.ports.cluster import AllowList
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.deploy_cloud_resource import STEP_TYPE as CLOUD
from gitops_wf.steps.share_cloud_resource import STEP_TYPE as SHARE
from tests import sandbox_process
from tests.cloud import played_cloud
from tests.clusters import eventually
from tests.crds import definitions
from tests.delivering import Places, World

READY = "{apply: {state: Available}}"
TERRAFORM = "terraform.core.oam.dev/v1beta2"


@pytest.fixture(scope="module", params=["sandbox", "real API server"])
def kubeconfig(request, tmp_path_factory):
    """A cluster that knows the kinds, and where somebody plays the cloud."""
    with ExitStack() as stack:
        path = os.environ.get("KUBECONFIG")
        if request.param == "sandbox":
            folder = tmp_path_factory.mktemp("sandbox")
            found = stack.enter_context(sandbox_process.running(folder)).kubeconfig
        elif path:
            found = Path(path)
        else:
            pytest.skip("no API server: set KUBECONFIG to run the suite on one")
        cluster = KubeCluster(kubeconfig_access(found))
        kinds = []
        for definition in chain(
            *map(definitions, ("terraform", "crossplane", "clouds"))
        ):
            cluster.apply(definition)
            spec = definition["spec"]
            version = f"{spec['group']}/{spec['versions'][0]['name']}"
            kind = (version, spec["names"]["kind"])
            eventually(partial(_serves, cluster, *kind))
            kinds.append(kind)
        if request.param != "sandbox":
            stack.enter_context(played_cloud(cluster, kinds))
        yield found


def _serves(cluster, version, kind):
    try:
        cluster.list(cluster.resource(version, kind))
    except (TerminalError, TransientError):
        return False
    return True


class Site:
    """An environment with a hub and two targets: namespaces of one sandbox."""

    def __init__(self, kubeconfig):
        mark = uuid.uuid4().hex[:8]
        self.world = World(
            kubeconfig=kubeconfig, namespace=f"hub-{mark}", name=f"prod-{mark}"
        )
        self.cluster = self.world.cluster
        self.eu, self.us = f"eu-{mark}", f"us-{mark}"
        for name in (self.world.namespace, self.eu, self.us):
            self.make_namespace(name)
        self.world.clusters = Places(
            places={
                "hub": (self.cluster, self.world.namespace),
                "eu": (self.cluster, self.eu),
                "us": (self.cluster, self.us),
            }
        )
        self.environment = Environment(
            name=EnvironmentName(self.world.name),
            folder=f"envs/{self.world.name}",
            targets=(TargetName("eu"), TargetName("us")),
            hub=TargetName("hub"),
        )
        self.home = hub_namespace(f"shop/{self.world.name}")
        self.step = "cloud"

    def commit(self, *manifests):
        """Commit these manifests and nothing else, as a further revision."""
        self.world.number += 1
        self.world.write(*manifests)

    def make_namespace(self, name):
        self.cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        )

    def context(self, step_type, target, properties, **more):
        return self.world.context(
            step_type,
            properties,
            target=TargetName(target),
            step=StepName(f"{self.step}/{target}"),
            environment=self.environment,
            **more,
        )

    def attempt(self, target="hub", step_type=CLOUD, **properties):
        context = self.context(step_type, target, properties)
        return self.world.runner(step_type).attempt(context)

    def done(self, target="hub", step_type=CLOUD, **properties):
        """Attempt, then look until that part of the step has ended."""
        runner = self.world.runner(step_type)
        found = [self.attempt(target, step_type, **properties)]

        def ended():
            if found[0].phase is not Phase.RUNNING:
                return found[0]
            found[0] = runner.look(
                self.context(step_type, target, properties, look=1, memo=found[0].memo)
            )
            return None

        return eventually(ended)

    def plan(self, target, step_type=CLOUD, **properties):
        capabilities = replace(
            self.world.capabilities, clusters=RehearsedClusters(self.world.clusters)
        )
        runner = step_type.make(capabilities)
        return runner.plan(self.context(step_type, target, properties))

    def compare(self, target, step_type=CLOUD, **properties):
        runner = self.world.runner(step_type)
        context = self.context(step_type, target, properties)
        return runner.compare(context, (), max_age=timedelta())

    def heal(self, target, refs, step_type=CLOUD, **properties):
        runner = self.world.runner(step_type)
        return runner.heal(self.context(step_type, target, properties), (), refs)

    def get(self, kind, namespace, name, version="v1"):
        return self.cluster.get(self.cluster.resource(version, kind), namespace, name)

    def values(self, namespace, name="db-conn"):
        found = self.get("Secret", namespace, name)
        return found and {
            key: base64.b64decode(value).decode()
            for key, value in found["data"].items()
        }

    def rotate(self, password, name="database"):
        """Have the cloud's controller write another password."""
        found = self.get("Configuration", self.home, name, TERRAFORM)
        found["metadata"]["annotations"]["sandbox.gitops-wf.io/secret"] = (
            f"{{HOST: db.example, PASSWORD: {password}}}"
        )
        self.cluster.replace(found)
        wanted = {"HOST": "db.example", "PASSWORD": password}
        eventually(lambda: self.values(self.home) == wanted)


@pytest.fixture
def site(kubeconfig):
    return Site(kubeconfig)


def database(name="database", status=READY, secret="db-conn", **metadata):
    annotations = {
        "sandbox.gitops-wf.io/secret": "{HOST: db.example, PASSWORD: hunter22}",
        "sandbox.gitops-wf.io/delay": "50ms",
    }
    if status:
        annotations["sandbox.gitops-wf.io/status"] = status
    return {
        "apiVersion": TERRAFORM,
        "kind": "Configuration",
        "metadata": {"name": name, "annotations": annotations, **metadata},
        "spec": {
            "hcl": "…",
            "writeConnectionSecretToRef": {"name": secret},
        },
    }


def config_map(name="web"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_a_database_goes_to_the_hub_and_its_secret_to_the_targets(site):
    site.commit(database(), config_map())

    result = site.done()
    assert result.phase is Phase.SUCCEEDED, result
    live = site.get("Configuration", site.home, "database", TERRAFORM)
    # Else the controller would write it to `default`.
    reference = live["spec"]["writeConnectionSecretToRef"]
    assert reference == {"name": "db-conn", "namespace": site.home}
    assert site.values(site.eu) is None

    copied = site.done("eu")
    assert copied.phase is Phase.SUCCEEDED, copied
    assert site.values(site.eu) == {"HOST": "db.example", "PASSWORD": "hunter22"}
    assert site.values(site.us) is None
    label = site.get("Secret", site.eu, "db-conn")["metadata"]["labels"]
    assert label["gitops-wf.io/environment"] == f"shop.{site.world.name}"
    assert "hunter22" not in str(copied) + str(result)
    assert copied.outputs["secrets"] == [{"namespace": site.eu, "name": "db-conn"}]
    assert [e.ref.kind for e in copied.inventory.entries] == ["Secret"]


def test_deploy2env_leaves_out_what_a_step_brings_to_the_hub_and_only_that(site):
    site.commit(database(), database("cache", secret="cache"), config_map())
    runner = site.world.runner(DEPLOY)

    result = runner.attempt(site.context(DEPLOY, "eu", {}, to_hub=(("database",),)))

    assert site.get("ConfigMap", site.eu, "web")
    assert site.get("Configuration", site.eu, "database", TERRAFORM) is None
    # What no step brings to the hub is an object like any other.
    assert site.get("Configuration", site.eu, "cache", TERRAFORM)
    assert result.outputs["changes"] == "2 created"


def test_two_environments_have_each_their_own_database(kubeconfig):
    one, two = Site(kubeconfig), Site(kubeconfig)
    two.world.clusters.places["hub"] = one.world.clusters.places["hub"]

    for site in (one, two):
        site.commit(database())
        assert site.done().phase is Phase.SUCCEEDED

    assert one.home != two.home
    for site in (one, two):
        assert site.get("Configuration", site.home, "database", TERRAFORM)


def test_a_database_that_fails_ends_the_step_with_its_own_words(site):
    status = "{apply: {state: ApplyFailed, message: quota of db.t3 exceeded}}"
    site.commit(database(status=status))

    result = site.done()

    assert (result.phase, result.reason) == (Phase.FAILED, "HealthCheckFailed")
    assert result.message == (
        f"Configuration/{site.home}/database: quota of db.t3 exceeded"
    )


def test_without_a_status_it_is_not_ready_and_no_secret_is_waited_for(site):
    site.commit(
        {
            "apiVersion": "db.example.org/v1alpha1",
            "kind": "SQLInstance",
            "metadata": {"name": "database"},
            "spec": {"compositionRef": {"name": "small"}},
        }
    )

    result = site.attempt()

    assert result.phase is Phase.RUNNING
    assert result.message.endswith(
        f"waiting for SQLInstance/{site.home}/database: its controller has set no "
        "status yet"
    )


def test_a_claim_and_a_composite_of_crossplane_share_their_secrets(site):
    ready = "{conditions: [{type: Ready, status: 'True'}]}"
    annotations = {
        "sandbox.gitops-wf.io/status": ready,
        "sandbox.gitops-wf.io/secret": "{username: shop}",
        "sandbox.gitops-wf.io/delay": "50ms",
    }
    composite = f"x-{site.home}"
    site.commit(
        {
            "apiVersion": "db.example.org/v1alpha1",
            "kind": "SQLInstance",
            "metadata": {"name": "claim", "annotations": annotations},
            "spec": {"writeConnectionSecretToRef": {"name": "of-claim"}},
        },
        {
            "apiVersion": "db.example.org/v1alpha1",
            "kind": "XSQLInstance",
            "metadata": {"name": composite, "annotations": annotations},
            "spec": {
                "writeConnectionSecretToRef": {
                    "name": "of-composite",
                    "namespace": site.world.namespace,
                }
            },
        },
    )

    assert site.done().phase is Phase.SUCCEEDED
    assert site.done("eu").phase is Phase.SUCCEEDED
    # It is in no namespace of the environment, but names its owner.
    assert site.values(site.eu, "of-composite") == {"username": "shop"}
    assert site.values(site.eu, "of-claim") == {"username": "shop"}


def test_a_secret_of_others_on_the_hub_is_not_copied(site):
    stolen = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "root", "namespace": site.world.namespace},
        "stringData": {"token": "c4n4ry"},
    }
    site.cluster.create(stolen)
    claim = database()
    claim["metadata"]["annotations"].pop("sandbox.gitops-wf.io/secret")
    claim["spec"]["writeConnectionSecretToRef"] = {
        "name": "root",
        "namespace": site.world.namespace,
    }
    site.commit(claim)
    assert site.done().phase is Phase.SUCCEEDED

    with pytest.raises(TerminalError, match="does not name it as its owner") as found:
        site.attempt("eu")

    assert found.value.reason == "SecretNotOwned"
    assert site.get("Secret", site.eu, "root") is None


def test_a_namespace_that_a_later_step_brings_is_made_for_the_copy(site):
    namespace = f"late-{site.home}"
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"team": "shop"}},
    }
    site.world.clusters.places["eu"] = (site.cluster, namespace)
    site.commit(database(), manifest)
    site.done()

    [planned] = site.plan("eu").objects
    assert str(planned.ref) == f"Secret/{namespace}/db-conn"
    assert site.get("Namespace", "", namespace) is None
    assert site.done("eu").phase is Phase.SUCCEEDED

    assert site.values(namespace)["HOST"] == "db.example"
    assert site.get("Namespace", "", namespace)["metadata"]["labels"]["team"] == "shop"


def test_a_namespace_that_nobody_brings_is_told(site):
    site.world.clusters.places["eu"] = (site.cluster, f"never-{site.home}")
    site.commit(database())
    site.done()

    with pytest.raises(TerminalError) as found:
        site.attempt("eu")

    assert found.value.reason == "NamespaceNotFound"


def test_keys_are_chosen_and_renamed_and_the_copy_has_a_name_of_its_own(site):
    site.commit(database())
    keys = [{"from": "HOST", "to": "DB_HOST"}, "PASSWORD"]
    site.done()

    result = site.done("eu", keys=keys, secretName="db", namespace=site.us)

    assert result.phase is Phase.SUCCEEDED
    assert site.values(site.us, "db") == {
        "DB_HOST": "db.example",
        "PASSWORD": "hunter22",
    }


def test_a_key_that_is_not_there_is_waited_for_and_named(site):
    site.commit(database())
    site.done()

    result = site.attempt("eu", keys=["DB_URL"])

    assert (result.phase, result.reason) == (Phase.RUNNING, "SecretMissing")
    assert result.message == (
        f"waiting for Secret/{site.home}/db-conn on hub hub has no key DB_URL; it has "
        "HOST, PASSWORD"
    )
    assert site.values(site.eu) is None


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "managed by Helm"),
        ({}, "written by gitops-wf"),
    ],
)
def test_a_secret_of_somebody_else_is_never_written_over(site, metadata, says):
    site.commit(database())
    site.done()
    site.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db-conn", "namespace": site.eu, **metadata},
            "stringData": {"MINE": "kept"},
        }
    )

    with pytest.raises(TerminalError) as found:
        site.attempt("eu")

    assert found.value.reason == "ObjectClaimed"
    assert f"Secret/{site.eu}/db-conn on eu is there already" in str(found.value)
    assert says in str(found.value)
    assert site.values(site.eu) == {"MINE": "kept"}


def test_a_secret_that_another_environment_copied_is_waited_for(kubeconfig):
    one, two = Site(kubeconfig), Site(kubeconfig)
    two.world.clusters.places["eu"] = one.world.clusters.places["eu"]
    for site in (one, two):
        site.commit(database())
        site.done()
    one.done("eu")

    result = two.attempt("eu")

    assert (result.phase, result.reason) == (Phase.RUNNING, "ObjectClaimed")
    assert f"shop/{one.world.name} has it" in result.message


def test_what_leaves_git_is_deleted_with_its_copies_but_never_all_by_accident(site):
    site.commit(database(), database("cache", secret="cache"))
    for target in ("hub", "eu"):
        assert site.done(target).phase is Phase.SUCCEEDED

    site.commit(database())
    for target in ("hub", "eu"):
        assert site.done(target).phase is Phase.SUCCEEDED
    assert site.get("Configuration", site.home, "cache", TERRAFORM) is None
    assert site.get("Secret", site.eu, "cache") is None
    assert site.values(site.eu)

    site.commit(config_map())
    with pytest.raises(TerminalError) as found:
        site.attempt()
    assert found.value.reason == "PruneToEmpty"
    assert site.get("Configuration", site.home, "database", TERRAFORM)


def test_a_secret_is_shared_to_further_places_each_in_its_way(site):
    site.commit(database())
    site.done()
    placements = [
        {"target": "us", "keys": ["HOST"]},
        {"target": "us", "namespace": site.eu, "secretName": "db"},
    ]
    site.step = "share"

    result = site.done("us", SHARE, placements=placements)

    assert result.phase is Phase.SUCCEEDED, result
    assert site.values(site.us) == {"HOST": "db.example"}
    assert site.values(site.eu, "db") == {"HOST": "db.example", "PASSWORD": "hunter22"}
    del placements[1]
    assert site.done("us", SHARE, placements=placements).phase is Phase.SUCCEEDED
    assert site.get("Secret", site.eu, "db") is None


def test_what_no_step_has_delivered_is_not_shared(site):
    site.commit(database())
    site.make_namespace(site.home)
    site.cluster.create(database(namespace=site.home))

    with pytest.raises(TerminalError, match=r"is not of environment .* but of nobody"):
        site.attempt("us", SHARE, placements=[{"target": "us"}])


def test_the_targets_allow_list_holds_for_copies(site):
    site.commit(database())
    site.done()
    site.world.clusters.allow["eu"] = AllowList(kinds=("ConfigMap",))

    result = site.attempt("eu")

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidDefinition")
    assert "kind Secret is not allowed on this target" in result.message


def test_one_target_that_is_its_own_hub_keeps_the_database_and_a_copy(site):
    site.environment = replace(
        site.environment, hub=TargetName("eu"), targets=(TargetName("eu"),)
    )
    site.commit(database())

    first = site.done("eu")
    assert first.phase is Phase.SUCCEEDED, first
    assert site.values(site.eu) == {"HOST": "db.example", "PASSWORD": "hunter22"}
    again = site.done("eu")
    # Neither part of the step takes what the other owns for left behind.
    assert again.phase is Phase.SUCCEEDED
    assert site.get("Configuration", site.home, "database", TERRAFORM)
    assert {entry.ref.kind for entry in again.inventory.entries} == {
        "Configuration",
        "Secret",
    }


def test_a_rotated_secret_is_outdated_and_is_copied_again(site):
    site.commit(database())
    site.done()
    site.done("eu")
    assert site.compare("eu").drifted == ()

    site.rotate("n3w")
    [found] = site.compare("eu").drifted

    assert found.kind is DriftKind.OUTDATED
    assert not found.is_drift
    assert str(found) == (
        f"Secret/{site.eu}/db-conn: is a copy of hub Secret/{site.home}/db-conn as it "
        "was before"
    )
    site.heal("eu", [found.ref])
    assert site.values(site.eu)["PASSWORD"] == "n3w"
    assert site.compare("eu").drifted == ()


def test_an_edited_copy_is_drift_and_shows_no_value(site):
    site.commit(database())
    site.done()
    site.done("eu")
    live = site.get("Secret", site.eu, "db-conn")
    site.cluster.replace({**live, "data": {**live["data"], "HOST": "ZXZpbA=="}})

    [found] = site.compare("eu").drifted

    assert found.kind is DriftKind.CHANGED
    assert "/data/HOST" in str(found)
    assert "ZXZpbA" not in str(found)
    site.heal("eu", [found.ref])
    assert site.values(site.eu)["HOST"] == "db.example"


def test_a_secret_that_took_a_copys_name_is_not_healed_over(site):
    site.commit(database())
    site.done()
    site.done("eu")
    ref = ObjectRef(group="", kind="Secret", namespace=site.eu, name="db-conn")
    site.cluster.delete(ref, "v1")
    site.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db-conn", "namespace": site.eu},
            "stringData": {"MINE": "kept"},
        }
    )

    [found] = site.compare("eu").drifted

    assert found.kind is DriftKind.CLAIMED
    with pytest.raises(TerminalError, match="is there already"):
        site.heal("eu", [ref])
    assert site.values(site.eu) == {"MINE": "kept"}


def test_without_its_secret_a_copy_cannot_be_compared(site):
    claim = database()
    site.commit(claim)
    site.done()
    site.done("eu")
    found = site.get("Configuration", site.home, "database", TERRAFORM)
    del found["metadata"]["annotations"]["sandbox.gitops-wf.io/secret"]
    site.cluster.replace(found)
    site.cluster.delete(
        ObjectRef(group="", kind="Secret", namespace=site.home, name="db-conn"), "v1"
    )

    with pytest.raises(TransientError, match="is not there"):
        site.compare("eu")
    assert site.values(site.eu)


def test_a_plan_says_what_goes_to_the_hub_and_what_is_copied_later(site):
    site.commit(database())

    hub, copy = site.plan("hub"), site.plan("eu")

    assert [(str(o.ref), str(o.change)) for o in hub.objects] == [
        (f"Configuration/{site.home}/database", "created")
    ]
    assert [(str(o.ref), o.message) for o in copy.objects] == [
        (f"Secret/{site.eu}/db-conn", "copied when its Secret is there")
    ]
    assert site.get("Namespace", "", site.home) is None

    site.done()
    [planned] = site.plan("eu").objects
    assert (str(planned.change), "hunter22" in str(planned)) == ("created", False)
    assert "aHVudGVyMjI" not in str(planned)


def test_a_folder_is_no_hub(site, tmp_path):
    site.commit(database())
    site.world.clusters.places["hub"] = (DirectoryCluster(tmp_path), "default")

    with pytest.raises(TerminalError, match="hub hub is a folder"):
        site.attempt()


def test_without_a_hub_the_error_says_what_to_write(site):
    site.commit(database())
    site.environment = replace(site.environment, hub=None)

    with pytest.raises(TerminalError, match="as `hub: NAME`"):
        site.attempt("eu")


def test_a_name_that_no_cloud_resource_has_is_told(site):
    site.commit(database())

    with pytest.raises(TerminalError, match="there is no cloud resource databse in"):
        site.attempt(resources=["databse"])


RULES = """\
project: Documented
rules:
  - apiVersion: services.k8s.aws/v1alpha1
    kind: FieldExport
    secret:
      name: 'spec.to.kind == "secret" ? spec.to.name : ""'
      namespace: spec.to.namespace
  - apiVersion: iam.cnrm.cloud.google.com/v1beta1
    kind: IAMServiceAccountKey
    secret: {name: metadata.name}
  - apiVersion: "*.azure.com/v1"
    secret: {name: spec.operatorSpec.secrets.fullyQualifiedDomainName.name}
"""
CLOUDS = {
    "AWS Controllers for Kubernetes": (
        {
            "apiVersion": "services.k8s.aws/v1alpha1",
            "kind": "FieldExport",
            "spec": {"to": {"kind": "secret", "name": "endpoint"}},
        },
        "endpoint",
    ),
    "Config Connector of Google": (
        {
            "apiVersion": "iam.cnrm.cloud.google.com/v1beta1",
            "kind": "IAMServiceAccountKey",
            "spec": {},
        },
        "it",
    ),
    "Azure Service Operator": (
        {
            "apiVersion": "dbforpostgresql.azure.com/v1api20221201",
            "kind": "FlexibleServer",
            "spec": {
                "operatorSpec": {
                    "secrets": {
                        "fullyQualifiedDomainName": {"name": "fqdn", "key": "host"}
                    }
                }
            },
        },
        "fqdn",
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_rule_makes_any_kind_a_cloud_resource(site, cloud):
    manifest, secret = CLOUDS[cloud]
    site.world.cloud = CloudRules(
        users=read_shipped_cloud_rules(RULES.encode(), "rules.yaml")
    )
    annotations = {
        "sandbox.gitops-wf.io/status": "{conditions: [{type: Ready, status: 'True'},"
        " {type: ACK.ResourceSynced, status: 'True'}]}",
        "sandbox.gitops-wf.io/secret": "{host: db.example}",
        "sandbox.gitops-wf.io/secret-name": secret,
        "sandbox.gitops-wf.io/delay": "50ms",
    }
    site.commit({**manifest, "metadata": {"name": "it", "annotations": annotations}})

    assert site.done().phase is Phase.SUCCEEDED
    assert site.done("eu").phase is Phase.SUCCEEDED
    assert site.values(site.eu, secret) == {"host": "db.example"}


def test_the_documented_rules_are_those_of_this_test():
    page = Path(__file__).parents[2] / "docs/steps/deploy-cloud-resource.md"

    [shown] = [
        text
        for text in page.read_text().split("```yaml\n")
        if text.startswith("cloudResources:")
    ]
    config = yaml.safe_load(shown.partition("```")[0])
    assert config["cloudResources"]["rules"] == yaml.safe_load(RULES)["rules"]
