"""Which health rule judges an object, and how."""

import pytest

from gitops_wf.core.health import Health, HealthRule, HealthRules, health_of


def rule(group="example.com", kind="Database", **fields):
    return HealthRule(group=group, kind=kind, **({"current": "true"} | fields))


def database(**fields):
    return {
        "apiVersion": "example.com/v1",
        "kind": "Database",
        "metadata": {"name": "a", "generation": 2},
    } | fields


def judged(manifest, *users, shipped=()):
    return health_of(manifest, HealthRules(shipped=tuple(shipped), users=users))


FULL = rule(
    suspended="spec.paused == true",
    in_progress='status.phase == "Upgrading"',
    failed='status.phase in ["Broken", "Upgrading"]',
    current='status.phase == "Ready" || spec.paused == true',
    message=("status.error", '"phase is " + status.phase'),
    suspended_message=("status.phase",),
)


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {"phase": "Ready"}, "Current"),
        ({}, {"phase": "Broken", "error": "disk full"}, "Failed: disk full"),
        ({}, {"phase": "Broken", "error": ""}, "Failed: phase is Broken"),
        ({}, {"phase": "Upgrading"}, "InProgress: phase is Upgrading"),
        ({}, {"phase": "Starting"}, "InProgress: phase is Starting"),
        ({}, {}, "InProgress: its controller has set no status yet"),
        (
            {},
            {"x": 1},
            "InProgress: not current yet by health rule example.com/Database",
        ),
        ({"paused": True}, {"phase": "Broken"}, "Suspended: Broken"),
        ({"paused": True}, {}, "Suspended: paused on purpose"),
    ],
)
def test_the_first_condition_that_is_true_decides(spec, status, expected):
    assert str(judged(database(spec=spec, status=status), FULL)) == expected


def test_a_pause_that_the_spec_asks_for_counts_before_its_generation_was_observed():
    late = {"observedGeneration": 1, "phase": "Paused"}
    by_status = rule(suspended='status.phase == "Paused"')

    assert judged(database(spec={"paused": True}, status=late), FULL).health is (
        Health.SUSPENDED
    )
    assert str(judged(database(status=late), by_status)) == (
        "InProgress: generation 2 not observed yet: at 1"
    )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('status.phase == "Ready"', False),
        ('status.phase != "Ready"', False),
        ('!(status.phase == "Ready")', True),
        ("status.ready < 3", False),
        ("status.ready < 3 || true", True),
        ("status.nothing < 3 || status.zero < 3", True),
        ("size(status.list) == 0", False),
        ("status.list.all(i, i.ok)", False),
        ('status.items.exists(i, i.kind == "b")', True),
        ("status.items.exists(i, i.deep.er == 1)", False),
        ("has(status.nothing)", False),
        ("has(status.zero)", True),
        ('conditions["a.b"].reason == "x"', False),
        ("status.absent ? false : true", True),
    ],
)
def test_what_reads_an_absent_field_is_false(condition, holds):
    status = {"nothing": None, "zero": 0, "items": [{}, {"kind": "b"}, {"deep": {}}]}
    found = judged(database(status=status), rule(current=condition)).health

    assert found is (Health.CURRENT if holds else Health.IN_PROGRESS)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("status.ready < 3", "failed: the expression cannot be evaluated"),
        ('conditions["Ready"].text + 1 == 2', "failed: the expression cannot be"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_gives_unknown_with_its_name(condition, why):
    bad = rule(failed=condition, origin="/etc/gitops-wf.yaml:12")

    ready = {"type": "Ready", "status": "True", "reason": "Ready"}
    found = judged(database(status={"ready": "3", "conditions": [ready]}), bad)

    assert found.health is Health.UNKNOWN
    assert found.message.startswith(
        f"health rule example.com/Database (/etc/gitops-wf.yaml:12) cannot be"
        f" evaluated: {why}"
    )


def test_an_object_too_large_for_an_expression_is_unknown():
    huge = {"list": [{"a": "b"}] * 5000}

    assert judged(
        database(status=huge), rule(failed="size(status.list) > 1")
    ).health is (Health.UNKNOWN)


def test_a_condition_of_an_earlier_generation_counts_as_absent():
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    by_ready = rule(current='conditions.Ready.status == "True"')

    assert judged(database(status={"conditions": [ready]}), by_ready).health is (
        Health.IN_PROGRESS
    )
    assert str(judged(database(status={"conditions": [ready]}))) == (
        "InProgress: Ready was observed at an earlier generation"
    )
    now = ready | {"observedGeneration": 2}
    assert judged(database(status={"conditions": [now]}), by_ready).health is (
        Health.CURRENT
    )
    assert judged(database(status={"conditions": [now]})).health is Health.CURRENT


def named(name, **fields):
    return rule(current="false", in_progress="true", message=(f'"{name}"',), **fields)


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        (["group", "kind"], "kind"),
        (["end", "group"], "group"),
        (["end", "longer end"], "longer end"),
        (["longer end", "end with kind"], "longer end"),
        (["end", "end with kind"], "end with kind"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_most_exact_rule_holds(rules, winner, turned):
    fields = {
        "kind": {"group": "db.eu.example.com"},
        "group": {"group": "db.eu.example.com", "kind": ""},
        "longer end": {"group": "*.eu.example.com", "kind": ""},
        "end": {"group": "*.example.com", "kind": ""},
        "end with kind": {"group": "*.example.com"},
    }
    made = [named(name, **fields[name]) for name in rules]
    thing = database(apiVersion="db.eu.example.com/v1", status={"a": 1})

    found = judged(thing, *(reversed(made) if turned else made))

    assert found.message == winner


def test_an_end_of_a_group_begins_at_a_dot():
    thing = database(apiVersion="myexample.com/v1")

    assert judged(thing, named("end", group="*.example.com")).health is Health.CURRENT


def test_a_user_s_rule_comes_before_a_shipped_and_a_built_in_one():
    mine, theirs = named("mine"), named("theirs")
    mine_too = named("mine", group="apps", kind="Deployment")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"paused": True},
        "status": {"replicas": 1},
    }
    thing = database(status={"a": 1})

    assert judged(thing, mine, shipped=[theirs]).message == "mine"
    assert judged(deployment, mine_too).message == "mine"
    # A rule for a whole group leaves the built-in kinds of it as they are.
    of_group = named("mine", group="apps", kind="")
    assert judged(deployment, of_group).health is Health.SUSPENDED
    assert judged(deployment, shipped=[mine_too]).health is Health.SUSPENDED


def test_a_kind_without_a_rule_that_says_suspend_is_suspended():
    assert str(judged(database(spec={"suspend": True}))) == (
        "Suspended: spec.suspend is true"
    )
    assert judged(database(spec={"suspend": False})).health is Health.CURRENT
