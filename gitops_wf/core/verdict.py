"""What a decision is worth: whom it may come from, what it can mean, when it acts.

The rules of approval stand here and nowhere else (design section 2):

- The decision's commit must come after its revision's own on the branch.
- The person is the author of the introducing commit; ``by`` must be that person.
- The environment's policy judges it for its step, each gate's policy for its target.
- It is judged once; what it counted for is stored and not judged again.
- One that pins a digest counts where a step before its own delivered just that.
- A quorum is reached when enough distinct people's decisions count.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from gitops_wf.core.decision import Decision, Effect, Entry, Verb
from gitops_wf.core.engine.plan import copy_name, predecessors
from gitops_wf.core.identifiers import StepName, TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import (
    Freeze,
    Gate,
    OnRollback,
    Policy,
    is_quorum,
    satisfies,
)
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import Step, Workflow

STEP = "step"
"""The requirement of the environment's own policy; a gate's is ``gate:<target>``."""

SUSPEND = "suspend"
"""The step type that waits for an approval by itself."""

SHORTEST_SHA = 7


def gate_requirement(target: TargetName) -> str:
    """Return the name of a gate's requirement."""
    return f"gate:{target}"


def freeze_requirement(freeze: Freeze) -> str:
    """Return the name of the requirement of passing a freeze."""
    return f"freeze:{freeze.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that a verdict is judged by, as it stands when the decision arrives.

    ``revisions`` are the environment's, newest first. ``contributors`` are the
    people who wrote the revision since the last released one (only needed where a
    policy bars them). ``hint`` completes the message for a SHA that is not a
    revision of this environment; ``is_removed`` says that its folder is gone.
    ``ordinal`` is of a run that a lost store knew of, where it is replayed.
    """

    revisions: Sequence[Revision]
    runs: Mapping[int, Run] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    gates: Sequence[Gate] = ()
    freezes: Sequence[Freeze] = ()
    contributors: frozenset[str] = frozenset()
    hint: str = ""
    is_removed: bool = False
    ordinal: int = 0


def judge(decision: Decision, bench: Bench) -> Decision:
    """Return the decision with its verdict."""
    digest = policy_digest(bench.policy, bench.gates, bench.freezes)
    decision = replace(decision, policy_digest=digest)
    revision, problem = _revision_meant(decision, bench)
    if revision is None:
        return _refused(decision, problem)
    decision = replace(decision, revision=revision.number)
    problem = _problem(decision, revision, bench)
    if problem:
        return _refused(decision, problem)
    if decision.entry.decision is Verb.APPROVE:
        return _judge_approval(decision, revision, bench)
    problem = why_not(decision, bench.policy, bench.contributors)
    return _refused(decision, problem) if problem else decision


def policy_digest(
    policy: Policy, gates: Iterable[Gate], freezes: Iterable[Freeze] = ()
) -> str:
    """Return a digest of the policies behind a verdict."""
    overrides = [(f.name, asdict(f.override)) for f in freezes if f.override]
    plain: list[Any] = [asdict(policy), *(asdict(gate) for gate in gates), *overrides]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def why_not(decision: Decision, policy: Policy, contributors: frozenset[str]) -> str:
    """Return why this person's decision does not count under a policy, or nothing."""
    person = decision.person
    if _is_bot(person) and person.casefold() not in _folded(policy.bots):
        return f"{person} is a bot that the policy does not list"
    if not policy.admits(person):
        return f"{person} is not among the approvers"
    if not satisfies(policy.identity, decision.evidence):
        return (
            f"the policy needs a verified {policy.identity}, and {person} is only"
            " claimed by the commit's author line"
        )
    is_approval = decision.entry.decision is Verb.APPROVE
    if is_approval and not policy.allow_author and person.casefold() in contributors:
        return f"{person} wrote a part of this revision, and the policy bars authors"
    return ""


def can_wait(step: Step, gates: Iterable[Gate]) -> bool:
    """Whether a step may ever wait for an approval."""
    gated = {gate.target for gate in gates}
    is_suspend = step.type == SUSPEND and "duration" not in step.properties
    return is_suspend or bool(gated & set(step.targets))


def step_approvals(
    step: StepName, decisions: Iterable[Decision]
) -> tuple[Decision, ...]:
    """Return the approvals that count for a suspended step."""
    named = {step, _base(step)}
    return tuple(d for d in decisions if _counts(d, STEP) and d.step in named)


def gate_approvals(
    step: StepName,
    gate: Gate,
    decisions: Iterable[Decision],
    guards: Iterable[StepName],
) -> tuple[Decision, ...]:
    """Return the approvals that count at a gate, for a step that writes there.

    They name the step itself, or a ``suspend`` step that it comes after (its
    ``guards``): one approval of a step serves its gate too, if the gate's own policy
    admits it. An approval of a write to another target is none of this one.
    """
    requirement = gate_requirement(gate.target)
    named = {step, _base(step), *guards}
    return tuple(d for d in decisions if _counts(d, requirement) and d.step in named)


def freeze_approvals(
    step: StepName, freeze: Freeze, decisions: Iterable[Decision]
) -> tuple[Decision, ...]:
    """Return the approvals that let a step write in a freeze.

    They name the step itself: who approves a ``suspend`` before it may not have
    thought of the freeze.
    """
    requirement = freeze_requirement(freeze)
    named = {step, _base(step)}
    return tuple(d for d in decisions if _counts(d, requirement) and d.step in named)


def pin_problem(decision: Decision, run: Run) -> str:
    """Return why an approval pins other content than was delivered, or nothing.

    What it pins must be what a step before its own has delivered in this run.
    """
    pinned, step = decision.entry.digest, decision.step
    if not pinned or step is None:
        return ""
    before = predecessors(run.workflow, step)
    delivered = {s.name: s.digest for s in run.steps if s.name in before and s.digest}
    if pinned in delivered.values():
        return ""
    said = ", ".join(f"{name} delivered {found}" for name, found in delivered.items())
    return f"it pins {pinned}, and {said or 'nothing was delivered before the step'}"


def in_force(decisions: Iterable[Decision], now: datetime) -> tuple[Decision, ...]:
    """Return those that have not expired before they could act."""
    return tuple(
        d for d in decisions if d.entry.expires is None or now < d.entry.expires
    )


def is_enough(policy: Policy, approvals: Iterable[Decision]) -> bool:
    """Whether these approvals make a quorum: distinct people, each counted once."""
    return is_quorum(policy, (approval.person for approval in approvals))


def holds(gate: Gate, *, is_rollback: bool) -> bool:
    """Whether a gate holds a revision at all."""
    return not (is_rollback and gate.rollback is OnRollback.WAIVED)


def _base(step: StepName) -> StepName:
    """Return the declared step of a sub-step run for one of several targets."""
    return StepName(step.partition("/")[0])


def _copies(step: Step) -> tuple[StepName, ...]:
    several = step.targets if len(step.targets) > 1 else ()
    return tuple(copy_name(step, target) for target in several)


def _counts(decision: Decision, requirement: str) -> bool:
    counts_for = decision.counts_for or {}
    return (
        decision.entry.decision is Verb.APPROVE
        and decision.effect is Effect.ACCEPTED
        and counts_for.get(requirement, "no") == ""
    )


def _revision_meant(decision: Decision, bench: Bench) -> tuple[Revision | None, str]:
    written = decision.entry.revision.casefold()
    if len(written) < SHORTEST_SHA or set(written) - set("0123456789abcdef"):
        return None, (
            f"revision {decision.entry.revision!r} is not a commit: write at least"
            f" {SHORTEST_SHA} hex digits, quoted"
        )
    found = [r for r in bench.revisions if r.commit.startswith(written)]
    if not found:
        hint = bench.hint or "gitops-wf get revisions lists them"
        return None, f"{written[:12]} is no revision of this environment; {hint}"
    if len({r.commit for r in found}) > 1:
        names = ", ".join(r.commit[:12] for r in found)
        return None, f"{written} is ambiguous: it could be {names}"
    if found[0].position >= decision.position:
        return None, (
            f"the commit of a decision must come after that of its revision"
            f" {found[0].commit[:8]}"
        )
    return found[0], ""


def _problem(decision: Decision, revision: Revision, bench: Bench) -> str:
    entry = decision.entry
    if entry.by and entry.by.casefold() != decision.person.casefold():
        return (
            f"it says by {entry.by}, but {decision.person} wrote the commit that"
            " introduced it"
        )
    if entry.digest and entry.decision is not Verb.APPROVE:
        return f"digest: only an approval pins content, {entry.decision} takes none"
    if entry.expires is not None and entry.expires <= decision.at:
        return f"it expired at {entry.expires.isoformat()}"
    run = bench.runs.get(revision.number)
    if entry.run not in {None, _newest_run(revision, run, bench)}:
        return f"run {entry.run} is not the revision's newest run"
    match entry.decision:
        case Verb.APPROVE | Verb.REJECT | Verb.ABORT:
            return _why_over(revision)
        case Verb.RETRY | Verb.REDEPLOY:
            return _why_not_again(entry.decision, revision, bench)


def _newest_run(revision: Revision, run: Run | None, bench: Bench) -> int:
    """Return the number of the newest run, or of the one that is to begin.

    Whether it has begun is a matter of when was polled, which decides nothing.
    """
    if run is None and bench.ordinal:
        return bench.ordinal
    begun = revision.earlier_runs if run is None else run.ordinal
    return begun + 1 if revision.phase is Phase.PENDING else begun


def _why_over(revision: Revision) -> str:
    if not revision.phase.is_final:
        return ""
    reason = f"/{revision.reason}" if revision.reason else ""
    return f"#{revision.number} has ended: {revision.phase}{reason}"


def _why_not_again(verb: Verb, revision: Revision, bench: Bench) -> str:
    newest = max(r.number for r in bench.revisions)
    if bench.is_removed and not revision.is_removal:
        return "the environment was removed: nothing of it runs again"
    if revision.number != newest:
        return f"#{newest} is newer: only the newest revision can be run again"
    if revision.barred:
        return f"#{revision.number} was rejected and stays barred"
    if not revision.phase.is_final:
        return f"#{revision.number} has not ended yet"
    if revision.workflow is None:
        return _no_definition(revision)
    if verb is Verb.RETRY and revision.phase is Phase.SUCCEEDED:
        return f"#{revision.number} succeeded: there is nothing to retry"
    return ""


def _no_definition(revision: Revision) -> str:
    return f"#{revision.number} has no valid definition: mend it by a commit"


def _judge_approval(decision: Decision, revision: Revision, bench: Bench) -> Decision:
    run = bench.runs.get(revision.number)
    # A run also has the step that the daemon added.
    workflow = run.workflow if run is not None else revision.workflow
    if workflow is None:
        return _refused(decision, _no_definition(revision))
    step, problem = _step_meant(decision.entry, workflow, revision, bench)
    if step is None:
        return _refused(decision, problem)
    decision = replace(decision, step=step)
    if problem := _pin_problem(decision, workflow, run):
        return _refused(decision, problem)
    counts_for = {STEP: why_not(decision, bench.policy, bench.contributors)}
    for gate in bench.gates:
        counts_for[gate_requirement(gate.target)] = why_not(
            decision, gate.policy, bench.contributors
        )
    for freeze in bench.freezes:
        if freeze.override is not None:
            requirement = freeze_requirement(freeze)
            why = why_not(decision, freeze.override, bench.contributors)
            # Rules of one name are one requirement: what one refuses is refused.
            counts_for[requirement] = counts_for.get(requirement, "") or why
    if all(counts_for.values()):
        return _refused(decision, counts_for[STEP])
    return replace(decision, counts_for=counts_for)


def _pin_problem(decision: Decision, workflow: Workflow, run: Run | None) -> str:
    """Return why a digest cannot count, as far as that is known already."""
    if not decision.entry.digest or decision.step is None:
        return ""
    base = _base(decision.step)
    if all(s.type != SUSPEND for s, _ in workflow.walk() if s.name == base):
        return (
            f"digest: {base} delivers itself; what was delivered before a `{SUSPEND}`"
            " is what its approval can pin"
        )
    waits = run is not None and any(s.name == decision.step for s in run.waiting)
    return pin_problem(decision, run) if run is not None and waits else ""


def _step_meant(
    entry: Entry, workflow: Workflow, revision: Revision, bench: Bench
) -> tuple[StepName | None, str]:
    """Find the step; only one that may wait can be approved."""
    able = [s for s, _ in workflow.walk() if can_wait(s, bench.gates)]
    may_wait = [s.name for s in able]
    run = bench.runs.get(revision.number)
    ended = {s.name for s in run.steps if s.phase.is_final} if run else set()
    if entry.step is not None:
        if any(freeze.override for freeze in bench.freezes):
            # Never meant where no step is named: a freeze comes and goes.
            able += [s for s, _ in workflow.walk() if s.targets and s not in able]
            may_wait = [s.name for s in able]
        names = {name for s in able for name in (s.name, *_copies(s))}
        if entry.step not in names:
            return None, _no_such_step(entry.step, may_wait)
        if entry.step in ended:
            return None, f"step {entry.step} has ended already"
        return entry.step, ""
    left = [name for name in may_wait if name not in ended]
    added = {s.name for s in able if s.is_added}
    # Who names no step means one of the workflow's own, while there is one.
    left = [name for name in left if name not in added] or left
    if len(left) == 1:
        return left[0], ""
    if not left:
        return None, "no step of this revision waits, or will wait, for an approval"
    return None, f"step is missing, and could be {' or '.join(left)}"


def _no_such_step(step: str, may_wait: Sequence[StepName]) -> str:
    if not may_wait:
        return f"step {step}: no step of this revision waits for an approval"
    return f"step {step} does not wait for an approval; {', '.join(may_wait)} can"


def _refused(decision: Decision, reason: str) -> Decision:
    return replace(decision, effect=Effect.REFUSED, reason=reason)


def _is_bot(person: str) -> bool:
    """By the naming of GitHub and GitLab: ``name[bot]@…``."""
    return "[bot]" in person


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names}
