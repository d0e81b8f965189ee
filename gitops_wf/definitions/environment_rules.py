"""Checks of an environment against what is around it."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from posixpath import normpath

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import did_you_mean
from gitops_wf.core.identifiers import environment_id
from gitops_wf.core.inputs import WORKFLOW, is_ignored
from gitops_wf.definitions.facts import Facts
from gitops_wf.definitions.finding import Finding, in_environment
from gitops_wf.definitions.policies import quorum_message
from gitops_wf.delivery.choosing import CONTROL_STEMS, MANIFEST_SUFFIXES


def resolved(folder: str, path: str) -> str | None:
    """`path`, written in `folder`, from the repository's root; None if outside it.

    The root itself is the empty path, as for Git's trees.
    """
    if path.startswith("/") or "\\" in path:
        return None
    whole = normpath(f"{folder}/{path}" if folder else path)
    if whole == ".":
        return ""
    return None if whole == ".." or whole.startswith("../") else whole


def unknown_target(facts: Facts) -> Iterator[Finding]:
    """Targets of the environment that the daemon config lacks."""
    known = facts.known.targets
    if facts.environment_file is None or known is None:
        return
    for number, target in enumerate(facts.environment_file.targets or ()):
        if target not in known:
            yield in_environment(
                ("targets", number),
                f"target `{target}` is not in the daemon config"
                f"{did_you_mean(target, known)}",
            )


def unknown_channel(facts: Facts) -> Iterator[Finding]:
    """Channels that the daemon config lacks."""
    known = facts.known.channels
    if facts.environment_file is None or known is None:
        return
    for number, part in enumerate(facts.environment_file.notify):
        if part.channel not in known:
            yield in_environment(
                ("notify", number, "channel"),
                f"channel `{part.channel}` is not in the daemon config"
                f"{did_you_mean(part.channel, known)}",
            )


def unknown_group(facts: Facts) -> Iterator[Finding]:
    """Groups of approvers that the daemon config lacks."""
    if facts.environment_file is None:
        return
    groups = facts.known.groups
    for number, person in enumerate(facts.environment_file.policy.approvers or ()):
        if "@" not in person and person not in groups:
            yield in_environment(
                ("policy", "approvers", number),
                f"`{person}` is neither an e-mail address nor a group of the daemon"
                f" config{did_you_mean(person, groups)}",
            )


def too_few_approvers(facts: Facts) -> Iterator[Finding]:
    """A policy with groups that nobody can satisfy."""
    if facts.environment_file is None or facts.environment is None:
        return
    people = facts.environment_file.policy.approvers or ()
    groups = {person for person in people if "@" not in person}
    if groups and groups <= facts.known.groups.keys():
        policy = facts.environment.policy
        message = quorum_message(policy.approvers or (), policy.min_approvals)
        if message:
            yield in_environment(("policy", "minApprovals"), message)


def after_itself(facts: Facts) -> Iterator[Finding]:
    """An environment that waits for itself."""
    if facts.environment_file is None:
        return
    for number, part in enumerate(facts.environment_file.after):
        own = environment_id(facts.source.repository, facts.source.name)
        if facts.meant(part.environment) == own:
            yield in_environment(
                ("after", number, "environment"),
                f"`{part.environment}` would wait for itself; name another environment",
            )


def after_unknown(facts: Facts) -> Iterator[Finding]:
    """An environment that waits for one that is not there."""
    if facts.environment_file is None:
        return
    for number, part in enumerate(facts.environment_file.after):
        if facts.meant(part.environment) is None:
            yield in_environment(
                ("after", number, "environment"),
                no_environment(part.environment, facts),
            )


def no_environment(written: str, facts: Facts) -> str:
    """Return that a name means no environment, and what would."""
    text = f"there is no environment `{cut(written, 64)}` in this repository"
    repository, _, name = written.partition("/")
    repositories = facts.known.repositories
    if not name or repositories is None or repository == facts.source.repository:
        return text + did_you_mean(written, facts.source.environments or ())
    return (
        f"{text}, and no repository `{cut(repository, 64)}` in the daemon config"
        f"{did_you_mean(repository, repositories)}"
    )


def watch_outside(facts: Facts) -> Iterator[Finding]:
    """Watched paths outside the repository."""
    if facts.environment_file is None:
        return
    for number, path in enumerate(facts.environment_file.watch):
        if resolved(facts.source.folder, path) is None:
            yield in_environment(
                ("watch", number),
                f"`{cut(path, 80)}` leads out of the repository; write a path inside"
                " it, from this folder",
            )


def ref_outside(facts: Facts) -> Iterator[Finding]:
    """A workflow reference outside the repository."""
    file = facts.environment_file
    if file is None or file.workflow is None:
        return
    if resolved(facts.source.folder, file.workflow.ref) is None:
        yield in_environment(
            ("workflow", "ref"),
            f"`{cut(file.workflow.ref, 80)}` leads out of the repository; write a path"
            " inside it, from this folder",
        )


def ref_missing(facts: Facts) -> Iterator[Finding]:
    """A workflow reference to a file that is not there."""
    file = facts.environment_file
    if file is None or file.workflow is None:
        return
    path = resolved(facts.source.folder, file.workflow.ref)
    if path is not None and not facts.is_workflow_there:
        yield in_environment(
            ("workflow", "ref"),
            f"there is no file {cut(path, 120)} at this commit; mend the path, or leave"
            " `workflow` out for ./workflow.yaml",
        )


def two_workflows(facts: Facts) -> Iterator[Finding]:
    """Both a reference and a workflow of its own."""
    file = facts.environment_file
    if file is None or file.workflow is None:
        return
    if WORKFLOW in facts.source.paths and (
        resolved(facts.source.folder, file.workflow.ref)
        != resolved(facts.source.folder, WORKFLOW)
    ):
        yield in_environment(
            ("workflow",),
            "there is a workflow.yaml beside this file, too; remove it or"
            " `workflow.ref`",
        )


def push_not_allowed(facts: Facts) -> Iterator[Finding]:
    """An environment that wants the daemon to commit where it only reads."""
    file, known = facts.environment_file, facts.known.push
    if file is None or known is None or file.on_failure != "revert":
        return
    repository = facts.source.repository
    grant = known.get(repository)
    environment = environment_id(repository, facts.source.name)
    if grant is None or not grant.allows(environment, repository):
        yield in_environment(
            ("onFailure",),
            f"the daemon does not commit to repository {repository} for {environment};"
            " the daemon config says who may let it (`push`), so ask for that or leave"
            " `onFailure` out",
        )


def no_targets(facts: Facts) -> Iterator[Finding]:
    """Nowhere to deliver to, and no workflow that says what else to do."""
    if facts.environment is None or facts.environment.targets:
        return
    if not facts.is_workflow_there and facts.environment.workflow_ref is None:
        yield in_environment(
            ("targets",),
            "names no target and has no workflow, so nothing would be done; add"
            " `targets`",
        )


def control_file_name(facts: Facts) -> Iterator[Finding]:
    """Files that are meant as ours, but by their names are not read as ours.

    Nor are they delivered, so a gate in a workflow.yml would be lost without a word.
    """
    if facts.environment is None:
        return
    ignore = facts.environment.ignore
    for path in sorted(facts.source.paths):
        name = PurePosixPath(path)
        if name.suffix not in MANIFEST_SUFFIXES - {".yaml"} or is_ignored(path, ignore):
            continue
        is_ours = len(name.parts) == 1 and name.stem in CONTROL_STEMS
        if is_ours or name.parent == PurePosixPath("approvals"):
            yield Finding(
                location=(),
                message=f"is not read: rename it to {name.stem}.yaml, or name it under"
                " `ignore` of environment.yaml",
                file=f"{facts.source.folder}/{path}" if facts.source.folder else path,
            )
