"""Outputs, inputs and expressions in properties: values that pass between steps."""

import pytest

from gitops_wf.core.engine import filled, places
from gitops_wf.core.engine.variables import variables
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.run import StepObject
from tests.simulation import LATER, NO, OK, Simulation, step

RESULT = {**OK, "outputs": {"version": "1.4", "body": {"tag": "v2", "ports": [80]}}}


def made(**outputs: str) -> Simulation:
    """A run whose first step gave these outputs, its second being asked for."""
    simulation = Simulation(
        step("make", outputs={n.replace("_", "-"): v for n, v in outputs.items()}),
        step("use"),
        script={"make": [RESULT], "use": [LATER]},
    )
    simulation.go()
    return simulation


def properties_of(simulation: Simulation, **more) -> dict:
    return filled(simulation.run, step("use", **more))[0]


def test_an_output_is_what_its_expression_finds_in_the_step_s_result():
    s = made(v="version", first_port="body.ports[0]")

    assert s["make"].outputs == {"v": "1.4", "first-port": 80}


def test_an_output_that_cannot_be_found_fails_the_step():
    s = made(v="body.missing.deeper")

    assert s.why("make") == "Failed/InvalidExpression"
    assert s["make"].message.startswith("output v: body.missing.deeper: ")
    assert s.why("use") == "Skipped/DependencyFailed"


def test_an_output_of_a_name_that_the_result_does_not_have_fails_the_step():
    assert made(v="nothing").why("make") == "Failed/InvalidExpression"


def test_a_failed_step_has_no_outputs():
    s = Simulation(
        step("make", outputs={"v": "version"}), script={"make": [{**RESULT, **NO}]}
    )
    s.go()

    assert s["make"].outputs == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        (7, 7),
        ("${{ outputs.v }}", "1.4"),
        ("v${{ outputs.v }} on ${{ environment.name }}", "v1.4 on prod"),
        ("${{ outputs.first_port }}", 80),
        ("${{ outputs['first-port'] }}", 80),
        (["${{ outputs.v }}", 2], ["1.4", 2]),
        (("${{ outputs.v }}",), ["1.4"]),
        ({"deep": {"er": "${{ revision.number }}"}}, {"deep": {"er": 7}}),
        ("${{ status.make.phase }}", "Succeeded"),
        ("${{ context.commit }}", "4f1c2d9e" + "0" * 32),
    ],
)
def test_expressions_in_properties_are_filled_in(written, value):
    s = made(v="version", first_port="body.ports[0]")

    assert properties_of(s, properties={"p": written}) == {"p": value}


def test_a_property_that_cannot_be_filled_in_is_named():
    s = made()

    with pytest.raises(TerminalError, match=r"properties\.list\[1\]\.deep: ") as error:
        properties_of(s, properties={"list": ["", {"deep": "${{ outputs.missing }}"}]})
    assert error.value.reason == "InvalidExpression"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"v": "tag"}, {"tag": "1.4", "image": {"name": "web"}}),
        ({"v": "image.tag"}, {"image": {"name": "web", "tag": "1.4"}}),
        ({"v": "a.b.c"}, {"a": {"b": {"c": "1.4"}}, "image": {"name": "web"}}),
        ({"all.tag": "tag"}, {"tag": "v2", "image": {"name": "web"}}),
        ({"all.no.such": "tag"}, {"tag": None, "image": {"name": "web"}}),
        ({"revision.number": "n"}, {"n": 7, "image": {"name": "web"}}),
        # without a key it is only a dependency
        ({"v": ""}, {"image": {"name": "web"}}),
        ({"v": "image.name.deep"}, {"image": {"name": {"deep": "1.4"}}}),
    ],
)
def test_an_input_is_put_at_its_parameter_key(inputs, expected):
    s = made(v="version", all="body")

    found = properties_of(s, properties={"image": {"name": "web"}}, inputs=inputs)

    assert found == expected


def test_the_declared_properties_stay_as_they_are():
    s = made(v="version")
    declared = {"image": {"name": "web"}}

    properties_of(s, properties=declared, inputs={"v": "image.tag"})

    assert declared == {"image": {"name": "web"}}


def test_an_if_sees_its_inputs_by_their_source():
    s = Simulation(
        step("make", outputs={"my-v": "version"}),
        step("a", inputs={"my-v": ""}, when="inputs.my_v == '1.4'"),
        step("b", inputs={"my-v": ""}, when="inputs['my-v'] == '2'"),
        script={"make": [RESULT]},
    )
    s.go()

    assert (s.why("a"), s.why("b")) == ("Succeeded", "Skipped/ConditionFalse")


def test_a_step_on_several_targets_gives_its_inputs_to_each():
    s = Simulation(
        step("make", outputs={"v": "version"}),
        step("deploy", targets="eu us", inputs={"v": "tag"}),
        script={"make": [RESULT], "deploy/eu": [LATER]},
    )
    s.go()

    definition = places(s.run.workflow)["deploy/us"].step

    assert filled(s.run, definition)[0] == {"tag": "1.4"}


def test_expressions_see_the_revision_the_environment_and_the_run():
    s = Simulation(
        step("go-live"),
        subject={
            "rollback": True,
            "changed": ("envs/prod/web.yaml",),
            "source": "web@0123",
            "branch": "main",
            "author": "Ann",
            "subject": "Change it",
            "application": "web",
            "targets": ("eu",),
        },
    )

    seen = variables(s.run)

    assert seen["revision"] == {
        "number": 7,
        "commit": "4f1c2d9e" + "0" * 32,
        "short": "4f1c2d9e",
        "branch": "main",
        "rollback": True,
        "changed": ["envs/prod/web.yaml"],
        "source": "web@0123",
        "author": "Ann",
        "subject": "Change it",
    }
    assert seen["environment"] == {
        "name": "prod",
        "application": "web",
        "targets": ["eu"],
    }
    assert seen["run"]["outcome"] == "Succeeded"
    assert seen["run"]["id"] == "shop/prod#7.1"
    assert seen["status"]["go_live"] == seen["status"]["go-live"]
    assert seen["status"]["go_live"]["phase"] == "Pending"


def test_the_objects_of_a_step_stay_with_it_until_others_are_told():
    web = StepObject(object="Deployment/shop/web", change="configured")
    done = StepObject(object="Deployment/shop/web", change="configured", health="Ok")
    script = [{**LATER, "objects": (web,)}, LATER, {**OK, "objects": (done,)}]
    simulation = Simulation(step("deploy"), script={"deploy": script})

    seen = []
    for _ in script:
        simulation.go()
        seen.append(simulation["deploy"].objects)
        simulation.wait("2s")

    assert seen == [(web,), (web,), (done,)]
