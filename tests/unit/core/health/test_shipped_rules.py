"""Each shipped health rule gives its samples the health that their project means."""

from dataclasses import replace

import pytest

from gitops_wf.bootstrap.health import health_rules, shipped_rules
from gitops_wf.core.health import Health, HealthRules, health_of
from gitops_wf.core.health.builtin import rule_for
from gitops_wf.core.health.rules import parse_rule_condition, parse_rule_message
from tests.health_samples import FOLDER, path_of, samples

RULES = shipped_rules()
FILES = sorted(FOLDER.rglob("*.yaml"))
CONDITIONS = ("suspended", "in_progress", "failed", "current")

each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def alternatives(text):
    """The parts of a condition between its outermost `||`."""
    parts, depth, quote, start = [], 0, "", 0
    for position, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith("||", position):
            parts.append(text[start:position].strip())
            start = position + 2
    return [*parts, text[start:].strip()]


def mutants(rule):
    """The rule without one of its conditions, or without a part of one."""
    for field in CONDITIONS:
        parts = alternatives(getattr(rule, field))
        for dropped in range(len(parts)):
            rest = [part for n, part in enumerate(parts) if n != dropped]
            if parts[dropped]:
                text = " || ".join(rest) or "false"
                yield f"{field}: {parts[dropped]}", replace(rule, **{field: text})


@pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(FOLDER)) for path in FILES]
)
def test_a_sample_has_the_health_and_the_message_that_its_project_means(path):
    rules = health_rules()
    found = {s.place: health_of(s.manifest, rules) for s in samples(path)}

    assert {
        place: (str(each.health), each.message) for place, each in found.items()
    } == {s.place: (s.health, s.message) for s in samples(path)}


@each_rule
def test_a_rule_has_samples_of_every_health_that_it_gives(rule):
    has = {sample.health for sample in samples(path_of(rule))}
    wanted = {Health.CURRENT, Health.IN_PROGRESS, Health.FAILED}
    if rule.suspended:
        wanted.add(Health.SUSPENDED)

    assert has >= {str(health) for health in wanted}


@each_rule
def test_every_part_of_a_rule_decides_a_sample(rule):
    """What could be left out with no sample noticing is not tested, or not needed."""
    objects = [sample.manifest for sample in samples(path_of(rule))]
    # Alone, so that what decides is this rule and no other.
    before = [health_of(each, HealthRules((rule,))).health for each in objects]
    idle = [
        text
        for text, mutant in mutants(rule)
        if [health_of(each, HealthRules((mutant,))).health for each in objects]
        == before
    ]

    assert idle == []


@each_rule
def test_the_expressions_of_a_rule_are_accepted(rule):
    for text in rule.conditions().values():
        parse_rule_condition(text)
    for text in (*rule.message, *rule.suspended_message):
        parse_rule_message(text)


@each_rule
def test_an_object_without_status_is_never_failed_nor_unknown(rule):
    kind = rule.kind or "Anything"
    bare = {
        "apiVersion": f"{rule.group.replace('*', 'test')}/v1",
        "kind": kind,
        "metadata": {"name": "a", "generation": 1},
    }

    assert health_of(bare, HealthRules((rule,))).health in {
        Health.IN_PROGRESS,
        Health.CURRENT,
    }


def test_every_file_of_samples_belongs_to_a_rule():
    assert {path_of(rule) for rule in RULES} == set(FILES)


def test_no_two_shipped_rules_are_for_one_kind_nor_for_a_built_in_one():
    names = [rule.name for rule in RULES]

    assert len(set(names)) == len(names)
    assert not [rule.name for rule in RULES if rule_for(rule.group, rule.kind)]


def test_more_than_a_hundred_kinds_have_rules():
    assert len(RULES) > 100
