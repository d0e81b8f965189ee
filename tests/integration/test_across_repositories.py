"""Environments that wait for those of another repository of the same daemon."""

from datetime import timedelta

import pytest

from gitops_wf.definitions.facts import Known
from gitops_wf.steps.depends_on import STEP_TYPE as DEPENDS_ON
from gitops_wf.steps.wait import STEP_TYPE as WAIT
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
DEPLOY = "  - {name: out, type: deploy2env, properties: {target: cluster}}\n"
FREE = HEAD + DEPLOY
SLOW = f"{HEAD}  - {{name: soak, type: wait, properties: {{duration: 10m}}}}\n{DEPLOY}"
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
AFTER = f"{ENVIRONMENT}after: [{{environment: shared/dns}}]\n"
DNS = "envs/dns/workflow.yaml"
PROD = "envs/prod/workflow.yaml"


def waiting(**properties):
    fields = ", ".join(f"{key}: {value}" for key, value in properties.items())
    step = f"{{name: first, type: depends-on, properties: {{{fields}}}}}"
    return f"{HEAD}  - {step}\n{DEPLOY}"


@pytest.fixture
def line(tmp_path):
    made = ReleaseLine(
        tmp_path,
        more_steps=(DEPENDS_ON, WAIT),
        known=Known(repositories=frozenset({"shop", "shared"})),
        beside=("shared",),
    )
    yield made
    made.close()


@pytest.fixture
def shared(line):
    (beside,) = line.beside.values()
    return beside


def push(line, files):
    sha = line.commit(files)
    line.settle()
    line.wait(timedelta(seconds=5))
    return sha


def first(line):
    return next(step for step in line.run("prod").steps if step.name == "first")


def test_a_step_waits_for_the_newest_revision_there_is(line, shared):
    shared.commit({DNS: SLOW})
    push(line, {PROD: waiting(environment="shared/dns")})
    before = first(line)
    line.wait(timedelta(minutes=11))

    assert before.message.startswith("waits for shared/dns#1 (")
    assert first(line).message.startswith("shared/dns#1 (")
    assert line.phases("prod") == ["Succeeded"]


def test_an_environment_that_is_not_there_yet_is_waited_for(line, shared):
    shared.commit({"README.md": "nothing yet\n"})
    push(line, {PROD: waiting(environment="shared/dns")})
    before = first(line)
    shared.commit({DNS: FREE})
    line.settle()
    line.wait(timedelta(minutes=1))

    assert before.message == (
        "waits for shared/dns: repository shared has no environment dns yet"
    )
    assert line.phases("prod") == ["Succeeded"]


def test_a_failure_there_fails_the_step_without_what_its_steps_said(line, shared):
    shared.commit({DNS: FREE, "envs/dns/outcome": "fail"})
    line.settle()
    push(line, {PROD: waiting(environment="shared/dns")})

    step = first(line)
    assert (step.phase, step.reason) == ("Failed", "DependencyFailed")
    assert step.message.endswith("has ended Failed: StepFailed")


def test_a_commit_there_can_be_named(line, shared):
    sha = shared.commit({DNS: FREE})
    line.settle()
    shared.commit({"envs/dns/outcome": "fail"})
    line.settle()
    push(line, {PROD: waiting(environment="shared/dns", commit=f"'{sha[:12]}'")})

    assert line.phases("prod") == ["Succeeded"]
    assert f"shared/dns#1 ({sha[:8]})" in first(line).message


@pytest.mark.parametrize("which", ["atOrBefore", "same"])
def test_commits_of_two_repositories_are_not_compared(line, shared, which):
    shared.commit({DNS: FREE})
    push(line, {PROD: waiting(environment="shared/dns", revision=which)})

    step = first(line)
    assert (step.phase, step.reason) == ("Failed", "InvalidDefinition")
    assert step.message == (
        f"revision: {which} compares commits of one repository, and shared/dns is of"
        " another: write newest, or name its `commit`"
    )


@pytest.mark.parametrize("name", ["shred/dns", "nowhere/dns"])
def test_a_repository_that_is_not_watched_makes_the_definition_invalid(line, name):
    repository = name.partition("/")[0]
    after = f"{ENVIRONMENT}after: [{{environment: {name}}}]\n"
    push(
        line,
        {
            PROD: waiting(environment=name),
            "envs/later/environment.yaml": after,
            "envs/later/workflow.yaml": FREE,
        },
    )

    text = (
        f"there is no environment `{name}` in this repository, and no repository"
        f" `{repository}` in the daemon config"
    )
    for environment in ("prod", "later"):
        (revision,) = line.revisions(environment)
        assert revision.reason == "InvalidDefinition"
        assert text in revision.message
        assert ("did you mean `shared`?" in revision.message) == (name == "shred/dns")


def test_after_waits_for_another_repository_and_is_woken_when_it_has_succeeded(
    line, shared
):
    shared.commit({DNS: SLOW})
    line.settle()
    push(line, {PROD: FREE, "envs/prod/environment.yaml": AFTER})
    (held,) = line.revisions("prod")
    line.wait(timedelta(minutes=11))

    assert held.message == "waits for shared/dns#1"
    assert line.phases("prod") == ["Succeeded"]
    with line.store.read() as reader:
        (dns,) = reader.revisions("shared/dns")
    assert line.run("prod").created == dns.ended


def test_after_waits_for_an_environment_that_comes_only_later(line, shared):
    push(line, {PROD: FREE, "envs/prod/environment.yaml": AFTER})
    (held,) = line.revisions("prod")
    shared.commit({DNS: HEAD + "  - {name: out, type: strange}\n"})
    line.settle()
    line.wait(timedelta(minutes=2))
    (failed,) = line.revisions("prod")

    assert held.message == "waits for a first revision of shared/dns"
    assert failed.message == "waits for shared/dns#1, which has ended Failed"


def test_after_takes_the_newest_there_though_it_failed_later_than_this_commit(
    line, shared
):
    shared.commit({DNS: FREE})
    line.settle()
    shared.commit({"envs/dns/outcome": "fail"})
    line.settle()
    push(line, {PROD: FREE, "envs/prod/environment.yaml": AFTER})

    (held,) = line.revisions("prod")
    assert held.message == "waits for shared/dns#2, which has ended Failed"
