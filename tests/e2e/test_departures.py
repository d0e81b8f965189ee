"""Steps and targets that leave a workflow, on the sandbox process, by real commits."""

from dataclasses import replace

import pytest

from gitops_wf.core.identifiers import TargetName, environment_id
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Policy, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE
from tests import sandbox_process
from tests.namespaces import Namespaces, OwningTypes, config_map
from tests.releases import REPOSITORY, ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\n"
PROD = environment_id(REPOSITORY, "prod")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def clusters(sandbox):
    return Namespaces(sandbox.kubeconfig, ("eu", "us"))


@pytest.fixture
def line(tmp_path, clusters):
    line = ReleaseLine(
        tmp_path,
        targets=("eu", "us"),
        catalogue=OwningTypes(),
        capabilities={
            "clusters": clusters,
            "manifests": read_manifests,
            "digest_key": Secret("key"),
        },
    )
    yield line
    line.close()


def deploying(*steps, head=HEAD):
    return (
        head
        + "steps:\n"
        + "".join(
            f"  - {{name: {name}, type: deploy2env,"
            f" properties: {{targets: [{targets}], path: {path}.yaml}}}}\n"
            for name, targets, path in steps
        )
    )


def push(line, files):
    sha = line.commit({f"envs/prod/{name}": text for name, text in files.items()})
    line.settle()
    return sha


def begin(line, *, extra="", head=HEAD):
    """Deliver `web` by `web`, and `extra` by `extra`, to the EU."""
    files = {"web.yaml": config_map("web"), "extra.yaml": config_map("extra", extra)}
    flow = deploying(("web", "eu", "web"), ("extra", "eu", "extra"), head=head)
    push(line, {**files, "workflow.yaml": flow})
    assert line.phases("prod") == ["Succeeded"]


def leave(line, more=None, *, head=HEAD):
    flow = deploying(("web", "eu", "web"), head=head)
    return push(line, {"workflow.yaml": flow, "extra.yaml": None, **(more or {})})


def copy_of(line, target):
    with line.store.read() as reader:
        found = reader.inventory(PROD, target)
    return found and {entry.ref.name: entry.step for entry in found.entries}


@pytest.mark.parametrize("head", [HEAD, HEAD + "mode: {steps: DAG}\n"])
def test_objects_of_a_step_that_left_go_at_the_end(line, clusters, head):
    begin(line, head=head)
    assert copy_of(line, "eu") == {"web": "web", "extra": "extra"}

    leave(line, head=head)

    run = line.run("prod")
    assert run.phase is Phase.SUCCEEDED
    assert [step.name for step in run.steps] == ["web", "prune-departed"]
    assert run.steps[-1].message == (f"deleted ConfigMap/{clusters.names['eu']}/extra")
    assert clusters.has("eu", "web")
    assert not clusters.has("eu", "extra")
    assert copy_of(line, "eu") == {"web": "web"}


def test_the_run_after_that_has_nothing_to_prune(line):
    begin(line)
    leave(line)

    push(line, {"web.yaml": config_map("web", ", labels: {a: b}")})

    assert [step.name for step in line.run("prod").steps] == ["web"]


def test_nothing_goes_where_a_step_failed(line, clusters):
    begin(line)

    leave(line, {"web.yaml": "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n"})

    assert line.run("prod").step("prune-departed").phase is Phase.SKIPPED
    assert clusters.has("eu", "extra")


def test_a_failed_run_leaves_it_to_the_next(line, clusters):
    begin(line)
    leave(line, {"web.yaml": "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n"})

    push(line, {"web.yaml": config_map("web")})

    assert line.phases("prod")[-1] == "Succeeded"
    assert not clusters.has("eu", "extra")


def test_what_is_to_be_kept_stays_and_is_told(line, clusters):
    begin(line, extra=", annotations: {gitops-wf.io/prune: disabled}")

    leave(line)

    run = line.run("prod")
    assert run.phase is Phase.SUCCEEDED
    assert "kept: gitops-wf.io/prune: disabled" in run.steps[-1].message
    assert clusters.has("eu", "extra")
    assert copy_of(line, "eu") == {"web": "web", "extra": "extra"}


def test_an_environment_that_never_prunes_keeps_all(line, clusters):
    begin(line)

    leave(
        line,
        {
            "environment.yaml": "apiVersion: gitops-wf.io/v1alpha1\n"
            "kind: Environment\nprune: false\n"
        },
    )

    assert [step.name for step in line.run("prod").steps] == ["web"]
    assert clusters.has("eu", "extra")


def test_a_renamed_step_takes_its_objects_over(line, clusters):
    begin(line)

    push(
        line,
        {"workflow.yaml": deploying(("web", "eu", "web"), ("more", "eu", "extra"))},
    )

    assert line.phases("prod")[-1] == "Succeeded"
    assert clusters.has("eu", "extra")
    assert copy_of(line, "eu") == {"web": "web", "extra": "more"}


def test_departed_steps_never_take_all_there_is(line, clusters):
    """The new step delivers nothing: what the old one left is all there is."""
    begin(line)
    nothing = {"web.yaml": None, "extra.yaml": None, "none.yaml": "# nothing\n"}

    push(line, {"workflow.yaml": deploying(("new", "eu", "none")), **nothing})

    step = line.run("prod").step("prune-departed")
    assert (step.phase, step.reason) == (Phase.FAILED, "PruneToEmpty")
    assert clusters.has("eu", "web")
    assert clusters.has("eu", "extra")


def test_a_target_that_left_is_told_and_keeps_its_objects(line, clusters):
    files = {"web.yaml": config_map("web")}
    push(line, {**files, "workflow.yaml": deploying(("web", "eu, us", "web"))})

    push(line, {"workflow.yaml": deploying(("web", "eu", "web"))})

    [event] = [each for each in line.events() if each.reason == "TargetRemoved"]
    assert event.message.endswith(
        "no longer delivers to target us: its 1 objects stay there"
    )
    assert line.phases("prod")[-1] == "Succeeded"
    assert clusters.has("us", "web")
    push(line, {"web.yaml": config_map("web", ", labels: {a: b}")})
    assert len([e for e in line.events() if e.reason == "TargetRemoved"]) == 1


def test_a_gate_holds_it_as_any_write(line, clusters):
    begin(line)
    gate = Gate(target=TargetName("eu"), policy=Policy())
    line.restart(rulebook=Rulebook(gates={gate.target: gate}))
    sha = leave(line)
    one, two = "approvals/one.yaml", "approvals/two.yaml"

    push(line, {one: approval(sha, "web", by=None)})

    assert line.run("prod").step("prune-departed").is_waiting_for_approval
    assert clusters.has("eu", "extra")
    push(line, {two: approval(sha, "prune-departed", by=None)})
    assert line.phases("prod")[-1] == "Succeeded"
    assert not clusters.has("eu", "extra")


class DiesAfterwards:
    """Does its work, and the process ends before it can say so."""

    def __init__(self, runner, dies):
        self.runner = runner
        self.dies = dies

    def attempt(self, context):
        result = self.runner.attempt(context)
        if self.dies:
            self.dies.pop()
            raise SystemExit
        return result


def test_a_death_before_the_record_repeats_it(line, clusters):
    begin(line)
    dies = [True]
    line.catalogue.types[PRUNE.name] = replace(
        PRUNE, make=lambda offered: DiesAfterwards(PRUNE.make(offered), dies)
    )
    line.restart(rulebook=Rulebook())
    asked = []
    line.executor.start(
        lambda work: (asked.append(work), line.attempts.carry_out(work))
    )
    with pytest.raises(SystemExit):
        leave(line)
    assert not clusters.has("eu", "extra")

    line.attempts.carry_out(asked[-1])
    line.work_off()

    assert line.phases("prod")[-1] == "Succeeded"
    assert copy_of(line, "eu") == {"web": "web"}


def test_no_file_may_name_the_added_step(line):
    flow = (
        HEAD + "steps:\n  - {name: x, type: prune-departed, properties: {keep: {}}}\n"
    )

    push(line, {"workflow.yaml": flow, "web.yaml": config_map("web")})

    [revision] = line.revisions("prod")
    assert revision.reason == "InvalidDefinition"
    assert "unknown step type `prune-departed`" in revision.message
