"""Policies: who may decide, how many it takes, and that tightening never loosens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.policy import (
    Gate,
    Identity,
    OnRollback,
    Policy,
    PolicyRule,
    Rulebook,
    is_quorum,
    satisfies,
    tighten,
)

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
PEOPLE = [ANN, BOB, EVE]
POLICIES = st.builds(
    Policy,
    approvers=st.none() | st.lists(st.sampled_from(PEOPLE), unique=True).map(tuple),
    min_approvals=st.integers(1, 3),
    allow_author=st.booleans(),
    identity=st.sampled_from(list(Identity)),
    bots=st.lists(st.sampled_from(["ci[bot]@x", "r[bot]@x"]), unique=True).map(tuple),
)


def test_no_policy_admits_any_author():
    assert Policy().admits("anybody@example.com")


def test_only_approvers_are_admitted_in_whatever_case():
    policy = Policy(approvers=(ANN,))

    assert policy.admits("Ann@Example.com")
    assert not policy.admits(BOB)


def test_nobody_is_admitted_by_an_empty_list():
    assert not Policy(approvers=()).admits(ANN)


@pytest.mark.parametrize(
    ("people", "enough"),
    [
        ([], False),
        ([ANN], False),
        ([ANN, ANN], False),
        ([ANN, "ANN@example.com"], False),
        ([ANN, BOB], True),
        ([ANN, BOB, EVE], True),
    ],
)
def test_a_quorum_counts_distinct_people(people, enough):
    assert is_quorum(Policy(min_approvals=2), people) is enough


@pytest.mark.parametrize(
    ("needed", "evidence", "enough"),
    [
        (Identity.AUTHOR, Identity.AUTHOR, True),
        (Identity.AUTHOR, Identity.SIGNATURE, True),
        (Identity.SIGNATURE, Identity.AUTHOR, False),
        (Identity.SIGNATURE, Identity.SIGNATURE, True),
    ],
)
def test_evidence_is_enough_where_less_is_needed(needed, evidence, enough):
    assert satisfies(needed, evidence) is enough


@given(POLICIES, POLICIES, st.sampled_from(PEOPLE))
def test_tightening_never_loosens_either(outer, inner, person):
    both = tighten(outer, inner)

    for policy in (outer, inner):
        assert policy.admits(person) or not both.admits(person)
        assert both.min_approvals >= policy.min_approvals
        assert policy.allow_author or not both.allow_author
        assert satisfies(policy.identity, both.identity)
    assert set(both.bots) <= set(outer.bots)


@given(POLICIES)
def test_a_repository_that_says_nothing_changes_nothing(policy):
    assert tighten(policy, Policy()) == policy


def test_a_repository_cannot_let_a_bot_in():
    assert tighten(Policy(), Policy(bots=("ci[bot]@x",))).bots == ()


def test_approvers_of_both_are_those_in_both_in_whatever_case():
    both = tighten(
        Policy(approvers=(ANN, BOB)), Policy(approvers=("ANN@example.com", EVE))
    )

    assert both.approvers == ("ANN@example.com",)


@pytest.mark.parametrize(
    ("glob", "applies"),
    [
        ("prod", True),
        ("*", True),
        ("shop/prod", True),
        ("shop/*", True),
        ("pro", False),
        ("Prod", False),
        ("web/*", False),
    ],
)
def test_a_rule_applies_by_name_or_by_repository_and_name(glob, applies):
    assert PolicyRule(environments=(glob,)).applies_to("shop/prod") is applies


def test_every_rule_that_applies_counts():
    book = Rulebook(
        rules=(
            PolicyRule(environments=("*",), policy=Policy(identity=Identity.SIGNATURE)),
            PolicyRule(environments=("prod",), policy=Policy(min_approvals=2)),
            PolicyRule(environments=("dev",), policy=Policy(approvers=())),
        )
    )

    policy = book.policy_for("shop/prod")

    assert policy == Policy(identity=Identity.SIGNATURE, min_approvals=2)


def test_each_rule_of_the_daemon_config_may_list_bots():
    book = Rulebook(
        rules=(
            PolicyRule(environments=("*",), policy=Policy(bots=("a[bot]@x",))),
            PolicyRule(
                environments=("prod",), policy=Policy(bots=("b[bot]@x", "a[bot]@x"))
            ),
            PolicyRule(environments=("dev",), policy=Policy(bots=("c[bot]@x",))),
        )
    )

    assert book.policy_for("shop/prod").bots == ("a[bot]@x", "b[bot]@x")


def test_without_a_rule_an_environment_may_use_every_target():
    assert Rulebook().may_use("shop/prod", "eu")


def test_every_rule_has_to_allow_a_target():
    book = Rulebook(
        rules=(
            PolicyRule(environments=("*",), targets=("prod-*", "dev")),
            PolicyRule(environments=("prod",), targets=("prod-eu",)),
            PolicyRule(environments=("prod",)),
        )
    )

    assert book.may_use("shop/prod", "prod-eu")
    assert not book.may_use("shop/prod", "prod-us")
    assert not book.may_use("shop/prod", "dev")
    assert book.may_use("shop/staging", "prod-us")


def test_the_gates_are_those_of_the_targets_each_once():
    eu = Gate(target="eu", policy=Policy(), rollback=OnRollback.WAIVED)
    us = Gate(target="us", policy=Policy())
    book = Rulebook(gates={"eu": eu, "us": us})

    assert book.gates_for(["us", "dev", "eu", "us"]) == (us, eu)
