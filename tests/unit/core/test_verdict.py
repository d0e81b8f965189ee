"""What a decision is worth: the rules of approval, each a sentence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.core.decision import Decision, Effect, Entry, Verb
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Identity, OnRollback, Policy
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.verdict import (
    Bench,
    can_wait,
    gate_approvals,
    holds,
    in_force,
    is_enough,
    judge,
    policy_digest,
    step_approvals,
    why_not,
)
from gitops_wf.core.workflow import Workflow
from tests.shop import revision as shop_revision
from tests.simulation import NOW, WAIT, Simulation, group, step, suspend, workflow

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
FLOW = workflow(suspend("go-live"), step("deploy", targets="eu"))
TWO_WAITS = workflow(suspend("go-live"), suspend("go-wide"))
SHA = "4f1c2d9e" + "0" * 32
EU = Gate(target="eu", policy=Policy(approvers=(BOB,)))
US = Gate(target="us", policy=Policy(approvers=(EVE,)))
APPROVALS = pytest.mark.parametrize(
    "verb", [Verb.APPROVE, Verb.REJECT, Verb.ABORT], ids=str
)
AGAIN = pytest.mark.parametrize("verb", [Verb.RETRY, Verb.REDEPLOY], ids=str)


def revision(
    number: int = 7,
    phase: Phase = Phase.SUSPENDED,
    commit: str = SHA,
    flow: Workflow | None = FLOW,
    **more,
) -> Revision:
    made = shop_revision("prod", number, "a", phase, workflow=flow, **more)
    return replace(made, commit=commit, position=more.get("position", number * 10))


def decision(
    verb: Verb = Verb.APPROVE,
    written: str = SHA,
    *,
    person: str = ANN,
    evidence: Identity = Identity.AUTHOR,
    position: int = 1_000,
    **entry,
) -> Decision:
    return Decision(
        environment="shop/prod",
        entry=Entry(revision=written, decision=verb, **entry),
        commit="c" * 40,
        brought_by="c" * 40,
        position=position,
        person=person,
        evidence=evidence,
        at=NOW,
    )


def bench(*revisions: Revision, **more) -> Bench:
    return Bench(revisions=revisions or (revision(),), **more)


def refusal(judged: Decision) -> str:
    assert judged.effect is Effect.REFUSED
    return judged.reason


def accepted(judged: Decision) -> Decision:
    assert judged.effect is Effect.ACCEPTED, judged.reason
    assert judged.reason == ""
    return judged


# Which revision is meant


@pytest.mark.parametrize("written", [SHA, SHA[:7], SHA[:12].upper()])
def test_a_revision_is_named_by_seven_digits_or_more_in_any_case(written):
    assert accepted(judge(decision(written=written), bench())).revision == 7


@pytest.mark.parametrize("written", ["4f1c2d", "", "main", "4f1c2d9g", "HEAD~1234"])
def test_what_is_no_sha_is_refused_and_says_what_to_write(written):
    reason = refusal(judge(decision(written=written), bench()))

    assert reason.startswith(f"revision {written!r} is not a commit")
    assert "7 hex digits" in reason


def test_a_sha_of_no_revision_is_refused_and_says_where_to_look():
    reason = refusal(judge(decision(written="0123456789"), bench()))

    assert reason == (
        "0123456789 is no revision of this environment; gitops-wf get revisions"
        " lists them"
    )


def test_a_sha_of_a_merged_side_commit_is_refused_and_names_the_revision_meant():
    hint = "it was merged by 4f1c2d9e, which is #7"

    reason = refusal(judge(decision(written="0123456789"), bench(hint=hint)))

    assert reason.endswith(hint)


def test_an_ambiguous_sha_is_refused_and_names_the_candidates():
    one, two = "4f1c2d9e" + "1" * 32, "4f1c2d9e" + "2" * 32
    revisions = revision(8, commit=two), revision(7, commit=one)

    reason = refusal(judge(decision(written="4f1c2d9e"), bench(*revisions)))

    assert reason == f"4f1c2d9e is ambiguous: it could be {two[:12]}, {one[:12]}"


def test_of_two_revisions_at_one_commit_the_newest_is_meant():
    revisions = revision(8), revision(7, Phase.ABORTED)

    assert accepted(judge(decision(), bench(*revisions))).revision == 8


@pytest.mark.parametrize("position", [69, 70])
def test_a_decision_has_to_come_after_its_revision(position):
    reason = refusal(judge(decision(position=position), bench()))

    assert reason == (
        "the commit of a decision must come after that of its revision 4f1c2d9e"
    )


def test_a_decision_right_after_its_revision_acts():
    accepted(judge(decision(position=71), bench()))


# Who decides


@APPROVALS
def test_by_must_be_the_author_of_the_introducing_commit(verb):
    reason = refusal(judge(decision(verb, by=BOB), bench()))

    assert reason == (
        f"it says by {BOB}, but {ANN} wrote the commit that introduced it"
    )


def test_by_is_compared_in_any_case():
    accepted(judge(decision(by="Ann@Example.COM"), bench()))


@pytest.mark.parametrize("verb", list(Verb), ids=str)
def test_every_decision_is_for_approvers_only(verb):
    phase = Phase.FAILED if verb in {Verb.RETRY, Verb.REDEPLOY} else Phase.SUSPENDED
    policy = Policy(approvers=(BOB,))

    by_ann = judge(decision(verb), bench(revision(phase=phase), policy=policy))
    by_bob = judge(
        decision(verb, person=BOB), bench(revision(phase=phase), policy=policy)
    )

    assert refusal(by_ann) == f"{ANN} is not among the approvers"
    accepted(by_bob)


def test_the_evidence_has_to_reach_the_level_that_the_policy_needs():
    signed = bench(policy=Policy(identity=Identity.SIGNATURE))

    reason = refusal(judge(decision(), signed))

    assert "needs a verified signature" in reason
    assert "only claimed by the commit's author line" in reason
    accepted(judge(decision(evidence=Identity.SIGNATURE), signed))


def test_a_bot_counts_only_when_it_is_listed():
    bot = "41898282+github-actions[bot]@users.noreply.github.com"

    reason = refusal(judge(decision(person=bot), bench()))

    assert reason == f"{bot} is a bot that the policy does not list"
    accepted(judge(decision(person=bot), bench(policy=Policy(bots=(bot.upper(),)))))


def test_a_listed_bot_has_to_be_an_approver_too():
    bot = "ci[bot]@example.com"
    policy = Policy(approvers=(ANN,), bots=(bot,))

    assert why_not(decision(person=bot), policy, frozenset()) == (
        f"{bot} is not among the approvers"
    )


def test_who_wrote_a_part_may_approve_unless_the_policy_bars_it():
    wrote = frozenset({ANN})

    accepted(judge(decision(), bench(contributors=wrote)))
    barred = bench(policy=Policy(allow_author=False), contributors=wrote)
    assert "bars authors" in refusal(judge(decision(person="Ann@example.com"), barred))
    accepted(judge(decision(person=BOB), barred))


@pytest.mark.parametrize("verb", [Verb.REJECT, Verb.ABORT], ids=str)
def test_who_wrote_a_part_may_always_stop_it(verb):
    barred = bench(policy=Policy(allow_author=False), contributors=frozenset({ANN}))

    accepted(judge(decision(verb), barred))


# When it acts


def test_an_entry_that_expired_before_it_came_is_refused():
    reason = refusal(judge(decision(expires=NOW), bench()))

    assert reason == f"it expired at {NOW.isoformat()}"
    accepted(judge(decision(expires=NOW + timedelta(seconds=1)), bench()))


def test_an_approval_that_expires_while_it_waits_acts_no_more():
    limited = decision(expires=NOW + timedelta(hours=1))
    unlimited = decision()

    assert in_force([limited, unlimited], NOW) == (limited, unlimited)
    assert in_force([limited, unlimited], NOW + timedelta(hours=1)) == (unlimited,)


def test_an_entry_for_another_run_than_the_newest_is_refused():
    runs = {7: Simulation(suspend("go-live"), script={"go-live": [WAIT]}).run}

    assert refusal(judge(decision(run=2), bench(runs=runs))) == (
        "run 2 is not the revision's newest run"
    )
    assert refusal(judge(decision(run=1), bench())) == (
        "run 1 is not the revision's newest run"
    )
    accepted(judge(decision(run=1), bench(runs=runs)))


# Pinned content

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
PINS = workflow(step("eu", targets="eu"), suspend("go-live"), step("us", targets="us"))


def waiting_after(**digests: str) -> dict[int, Run]:
    """The run of a revision whose steps delivered these, as it waits."""
    run = Simulation(*PINS.steps, script={"go-live": [WAIT]}).go()
    steps = (replace(s, digest=digests.get(s.name, "")) for s in run.steps)
    return {7: replace(run, steps=tuple(steps))}


def pinning(digest: str, runs: dict[int, Run], **more) -> Decision:
    return judge(decision(digest=digest, **more), bench(revision(flow=PINS), runs=runs))


def test_an_approval_that_pins_what_was_delivered_before_it_counts():
    judged = accepted(pinning(ONE, waiting_after(eu=ONE)))

    assert judged.step == "go-live"
    assert step_approvals("go-live", [judged]) == (judged,)


def test_an_approval_that_pins_other_content_is_refused_with_what_was_delivered():
    reason = refusal(pinning(TWO, waiting_after(eu=ONE)))

    assert reason == f"it pins {TWO}, and eu delivered {ONE}"


def test_what_a_later_step_delivers_is_not_what_the_approver_saw():
    reason = refusal(pinning(TWO, waiting_after(us=TWO)))

    assert reason == f"it pins {TWO}, and nothing was delivered before the step"


def test_before_its_step_waits_a_pinned_approval_is_not_judged_by_it():
    accepted(pinning(ONE, {}))


def test_a_step_that_delivers_itself_can_not_be_approved_with_a_digest():
    judged = judge(
        decision(step="eu", digest=ONE), bench(revision(flow=PINS), gates=[EU])
    )

    assert refusal(judged).startswith("digest: eu delivers itself; what was delivered")


@pytest.mark.parametrize("verb", [Verb.REJECT, Verb.RETRY, Verb.REDEPLOY, Verb.ABORT])
def test_only_approvals_pin_content(verb):
    failed = revision(phase=Phase.FAILED)

    reason = refusal(judge(decision(verb, digest=ONE), bench(failed)))

    assert reason == f"digest: only an approval pins content, {verb} takes none"


def test_who_pins_other_content_decides_anew():
    one, two = decision(digest=ONE), decision(digest=TWO)

    assert len({decision().entry.key, one.entry.key, two.entry.key}) == 3


@APPROVALS
@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED])
def test_what_has_ended_can_be_neither_approved_nor_stopped(verb, phase):
    over = revision(phase=phase, reason="Superseded")

    reason = refusal(judge(decision(verb), bench(over)))

    assert reason == f"#7 has ended: {phase}/Superseded"


def test_an_end_without_a_reason_is_told_without_one():
    over = revision(phase=Phase.SUCCEEDED)

    assert refusal(judge(decision(), bench(over))) == "#7 has ended: Succeeded"


@APPROVALS
@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING, Phase.SUSPENDED])
def test_a_decision_may_come_before_its_step_is_reached(verb, phase):
    accepted(judge(decision(verb), bench(revision(phase=phase))))


# Run again


@AGAIN
def test_what_failed_last_can_be_run_again(verb):
    accepted(judge(decision(verb), bench(revision(phase=Phase.FAILED))))


@AGAIN
def test_only_the_newest_revision_can_be_run_again(verb):
    revisions = revision(8, Phase.FAILED, "b" * 40), revision(7, Phase.FAILED)

    reason = refusal(judge(decision(verb), bench(*revisions)))

    assert reason == "#8 is newer: only the newest revision can be run again"


@AGAIN
def test_what_was_rejected_stays_barred(verb):
    barred = revision(phase=Phase.ABORTED, barred=True)

    reason = refusal(judge(decision(verb), bench(barred)))

    assert reason == "#7 was rejected and stays barred"


@AGAIN
def test_what_has_not_ended_cannot_be_run_again(verb):
    assert refusal(judge(decision(verb), bench())) == "#7 has not ended yet"


@AGAIN
def test_an_invalid_definition_is_mended_by_a_commit_only(verb):
    invalid = revision(phase=Phase.FAILED, flow=None)

    assert "mend it by a commit" in refusal(judge(decision(verb), bench(invalid)))


def test_what_succeeded_is_redeployed_and_not_retried():
    over = revision(phase=Phase.SUCCEEDED)

    assert "nothing to retry" in refusal(judge(decision(Verb.RETRY), bench(over)))
    accepted(judge(decision(Verb.REDEPLOY), bench(over)))


# Which step is meant


def test_a_step_may_be_left_out_when_only_one_can_be_meant():
    assert accepted(judge(decision(), bench())).step == "go-live"


def test_a_step_left_out_is_refused_when_two_can_be_meant():
    reason = refusal(judge(decision(), bench(revision(flow=TWO_WAITS))))

    assert reason == "step is missing, and could be go-live or go-wide"


def test_steps_that_have_ended_cannot_be_meant():
    run = Simulation(*TWO_WAITS.steps, script={"go-wide": [WAIT]}).go()
    seen = bench(revision(flow=TWO_WAITS), runs={7: run})

    assert accepted(judge(decision(), seen)).step == "go-wide"
    assert refusal(judge(decision(step="go-live"), seen)) == (
        "step go-live has ended already"
    )


def test_a_step_left_out_is_refused_when_none_waits():
    nothing = revision(flow=workflow(step("deploy")))

    assert refusal(judge(decision(), bench(nothing))) == (
        "no step of this revision waits, or will wait, for an approval"
    )
    assert refusal(judge(decision(step="deploy"), bench(nothing))) == (
        "step deploy: no step of this revision waits for an approval"
    )


@pytest.mark.parametrize("name", ["deploy", "nobody", "go-live/eu"])
def test_only_a_step_that_can_wait_can_be_approved(name):
    reason = refusal(judge(decision(step=name), bench()))

    assert reason == f"step {name} does not wait for an approval; go-live can"


def test_a_step_inside_a_group_can_be_approved():
    inner = revision(flow=workflow(group("g", suspend("w"))))

    assert accepted(judge(decision(step="w"), bench(inner))).step == "w"


def test_one_target_of_a_step_can_be_approved_but_not_one_that_it_does_not_have():
    several = revision(flow=workflow(step("deploy", targets="eu us")))
    seen = bench(several, gates=[EU])

    accepted(judge(decision(step="deploy/eu", person=BOB), seen))
    accepted(judge(decision(step="deploy", person=BOB), seen))
    assert "deploy/asia does not wait" in refusal(
        judge(decision(step="deploy/asia", person=BOB), seen)
    )


def test_an_approval_of_an_invalid_definition_has_nothing_to_approve():
    invalid = revision(phase=Phase.FAILED, reason="InvalidDefinition", flow=None)

    assert refusal(judge(decision(), bench(invalid))) == (
        "#7 has ended: Failed/InvalidDefinition"
    )


def test_a_workflow_that_was_not_read_has_nothing_to_approve_either():
    assert refusal(judge(decision(), bench(revision(flow=None)))) == (
        "#7 has no valid definition: mend it by a commit"
    )


@pytest.mark.parametrize(
    ("declared", "waits"),
    [
        (suspend("w"), True),
        (suspend("w", properties={"message": "?"}), True),
        (suspend("w", properties={"duration": "10m"}), False),
        (step("deploy", targets="eu"), True),
        (step("deploy", targets="dev eu"), True),
        (step("deploy", targets="dev"), False),
        (step("tell"), False),
    ],
)
def test_suspend_steps_and_writes_to_gated_targets_can_wait(declared, waits):
    assert can_wait(declared, [EU]) is waits


# What it counts for


def judged_for_both_gates(person: str, **more) -> Decision:
    flow = workflow(
        suspend("go-live"), step("to-eu", targets="eu"), step("to-us", targets="us")
    )
    seen = bench(revision(flow=flow), gates=[EU, US], **more)
    return judge(decision(person=person, step="go-live"), seen)


def test_an_approval_counts_for_each_requirement_by_that_one_s_policy():
    judged = accepted(judged_for_both_gates(BOB))

    assert judged.counts_for == {
        "step": "",
        "gate:eu": "",
        "gate:us": f"{BOB} is not among the approvers",
    }


def test_an_approval_that_counts_for_nothing_is_refused():
    judged = judged_for_both_gates(ANN, policy=Policy(approvers=(EVE,)))

    assert refusal(judged) == f"{ANN} is not among the approvers"


def test_an_approval_that_only_a_gate_admits_does_not_count_for_the_step():
    judged = accepted(judged_for_both_gates(EVE, policy=Policy(approvers=(ANN,))))

    assert step_approvals("go-live", [judged]) == ()
    assert gate_approvals("to-us", US, [judged], ["go-live"]) == (judged,)


def test_an_approval_counts_for_its_own_step_only():
    judged = accepted(judge(decision(), bench()))

    assert step_approvals("go-live", [judged]) == (judged,)
    assert step_approvals("go-wide", [judged]) == ()


@pytest.mark.parametrize("effect", [Effect.REFUSED, Effect.WITHDRAWN])
def test_what_was_refused_or_withdrawn_counts_for_nothing(effect):
    judged = replace(judge(decision(), bench()), effect=effect)

    assert step_approvals("go-live", [judged]) == ()


def test_a_rejection_is_no_approval():
    judged = replace(judge(decision(Verb.REJECT), bench()), step="go-live")

    assert step_approvals("go-live", [judged]) == ()


def test_an_approval_of_a_suspend_step_before_it_serves_the_gate_of_a_later_step():
    judged = accepted(judged_for_both_gates(BOB))

    assert gate_approvals("to-eu", EU, [judged], ["go-live"]) == (judged,)
    assert gate_approvals("to-eu", EU, [judged], []) == ()


def test_an_approval_of_a_step_serves_its_own_gate_on_each_of_its_targets():
    several = revision(flow=workflow(step("deploy", targets="eu us")))
    everybody = [replace(EU, policy=Policy()), replace(US, policy=Policy())]
    seen = bench(several, gates=everybody)
    whole = accepted(judge(decision(step="deploy"), seen))
    one = accepted(judge(decision(step="deploy/eu"), seen))
    eu, us = everybody

    assert gate_approvals("deploy/eu", eu, [whole, one], []) == (whole, one)
    assert gate_approvals("deploy/us", us, [whole, one], []) == (whole,)


def test_a_quorum_is_of_distinct_people():
    two = Policy(min_approvals=2)
    ann, again, bob = (
        decision(),
        decision(person="ANN@example.com"),
        decision(person=BOB),
    )

    assert not is_enough(two, [ann, again])
    assert is_enough(two, [ann, bob])


@pytest.mark.parametrize(
    ("rollback", "is_rollback", "held"),
    [
        (OnRollback.REQUIRED, False, True),
        (OnRollback.REQUIRED, True, True),
        (OnRollback.WAIVED, False, True),
        (OnRollback.WAIVED, True, False),
    ],
)
def test_a_gate_holds_rollbacks_unless_they_are_waived(rollback, is_rollback, held):
    gate = replace(EU, rollback=rollback)

    assert holds(gate, is_rollback=is_rollback) is held


def test_the_verdict_is_stored_with_the_digest_of_the_policies_behind_it():
    judged = judge(decision(), bench(gates=[EU]))

    assert judged.policy_digest == policy_digest(Policy(), [EU])
    assert policy_digest(Policy(), [US]) != judged.policy_digest
    assert policy_digest(Policy(min_approvals=2), [EU]) != judged.policy_digest
