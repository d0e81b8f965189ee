from datetime import timedelta
from importlib.metadata import EntryPoint

import pytest
from pydantic import BaseModel

from gitops_wf.adapters.step_catalogue import GROUP, EntryPointCatalogue
from gitops_wf.ports.runner import StepType
from gitops_wf.steps import suspend


def a_type(name, *aliases):
    return StepType(
        name=name,
        aliases=aliases,
        properties=BaseModel,
        make=lambda _capabilities: None,
        default_timeout=timedelta(minutes=1),
    )


GREET = a_type("greet", "hello")
GREET_TOO = a_type("greet")
IMPOSTOR = a_type("suspend")
SLY = a_type("sly", "suspend")
NO_TYPE = "text"


def point(name, value):
    return EntryPoint(name=name, value=value, group=GROUP)


def here(name, attribute):
    return point(name, f"{__name__}:{attribute}")


SUSPEND = point("suspend", "gitops_wf.steps.suspend:STEP_TYPE")


@pytest.fixture(autouse=True)
def this_module_can_be_imported(monkeypatch):
    import sys

    module = type(sys)(__name__)
    module.__dict__.update(globals())
    monkeypatch.setitem(sys.modules, __name__, module)


def test_a_type_is_found_by_its_name_and_its_aliases():
    catalogue = EntryPointCatalogue([here("greet", "GREET"), SUSPEND])

    assert catalogue.get("greet") is GREET
    assert catalogue.get("hello") is GREET
    assert catalogue.get("suspend") is suspend.STEP_TYPE
    assert catalogue.get("unknown") is None
    assert catalogue.names() == ("greet", "suspend")
    assert catalogue.problems == ()


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (point("broken", "no_such_module_at_all:X"), "ModuleNotFoundError"),
        (here("broken", "NOT_THERE"), "AttributeError"),
        (here("broken", "NO_TYPE"), "is a str, no StepType"),
        (here("broken", "GREET"), "calls its type 'greet'"),
    ],
)
def test_a_broken_plugin_is_reported_by_name_and_fatal_to_no_other(broken, says):
    catalogue = EntryPointCatalogue([broken, SUSPEND])

    [problem] = catalogue.problems
    assert catalogue.names() == ("suspend",)
    assert problem.entry_point == "broken"
    assert "step type broken" in problem.message
    assert says in problem.message


def test_of_two_plugins_with_one_name_neither_is_taken():
    catalogue = EntryPointCatalogue(
        [here("greet", "GREET"), here("greet", "GREET_TOO")]
    )

    assert catalogue.names() == ()
    assert len(catalogue.problems) == 2


@pytest.mark.parametrize(("name", "value"), [("suspend", "IMPOSTOR"), ("sly", "SLY")])
def test_no_plugin_can_put_itself_in_the_place_of_a_type_of_ours(name, value):
    catalogue = EntryPointCatalogue([here(name, value), SUSPEND])

    assert catalogue.get("suspend") is suspend.STEP_TYPE
    assert catalogue.names() == ("suspend",)
    assert "claimed by gitops_wf.steps.suspend" in catalogue.problems[0].message


def test_our_own_types_are_installed():
    catalogue = EntryPointCatalogue()

    assert {
        "notification",
        "print-message-in-status",
        "step-group",
        "suspend",
        "webhook",
    } <= set(catalogue.names())


def test_what_only_the_daemon_adds_is_found_but_not_offered():
    catalogue = EntryPointCatalogue(
        [point("prune-departed", "gitops_wf.steps.prune_departed:STEP_TYPE"), SUSPEND]
    )

    assert catalogue.get("prune-departed") is not None
    assert catalogue.names() == ("suspend",)
