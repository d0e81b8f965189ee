"""Checks of the daemon config's parts against each other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import did_you_mean
from gitops_wf.definitions.daemon_file import DaemonFile
from gitops_wf.definitions.policies import PolicyPart, quorum_message
from gitops_wf.definitions.problems import Location, plain

Place = tuple[Location, str]
"""Where a rule is broken, and what would be right."""

DaemonCheck = Callable[[DaemonFile, Any], Iterator[Place]]
"""Of the file, and of the document that it was read from."""


def unknown_config_target(file: DaemonFile, _document: Any) -> Iterator[Place]:
    """Targets that are named but not configured."""
    places: list[tuple[Location, str]] = [
        (("repositories", name, "targets", number), target)
        for name, repository in file.repositories.items()
        for number, target in enumerate(repository.targets)
    ]
    places += [
        (("secrets", name, "kubernetes", "target"), secret.kubernetes.target)
        for name, secret in file.secrets.items()
        if secret.kubernetes is not None
    ]
    if file.hub is not None:
        places.append((("hub",), file.hub))
    for location, target in places:
        if target not in file.targets:
            hint = did_you_mean(target, file.targets)
            yield location, f"`{target}` is not under `targets`{hint}"


def unknown_config_channel(file: DaemonFile, _document: Any) -> Iterator[Place]:
    """Channels that are named but not configured."""
    known = file.notifications.channels
    for number, part in enumerate(file.notifications.notify):
        if part.channel not in known:
            yield (
                ("notifications", "notify", number, "channel"),
                (
                    f"`{part.channel}` is not under `notifications.channels`"
                    f"{did_you_mean(part.channel, known)}"
                ),
            )


def unknown_config_secret(file: DaemonFile, document: Any) -> Iterator[Place]:
    """Secrets that are named but not configured."""
    for location, name in _references(plain(document), ()):
        if name not in file.secrets:
            yield (
                location,
                (
                    f"secret `{cut(name, 64)}` is not under `secrets`"
                    f"{did_you_mean(name, file.secrets)}"
                ),
            )


def unknown_config_group(file: DaemonFile, _document: Any) -> Iterator[Place]:
    """Groups of approvers that are named but not configured."""
    for location, policy in _policies(file):
        for number, person in enumerate(policy.approvers or ()):
            if "@" not in person and person not in file.groups:
                yield (
                    (*location, "approvers", number),
                    (
                        f"`{person}` is neither an e-mail address nor a name under"
                        f" `groups`{did_you_mean(person, file.groups)}"
                    ),
                )
    for name, people in file.groups.items():
        for number, person in enumerate(people):
            if "@" not in person:
                yield (
                    ("groups", name, number),
                    f"`{person}` is no e-mail address; a group holds no groups",
                )


def too_few_config_approvers(file: DaemonFile, _document: Any) -> Iterator[Place]:
    """Policies with groups that nobody can satisfy."""
    for location, policy in _policies(file):
        groups = {p for p in policy.approvers or () if "@" not in p}
        if groups and groups <= file.groups.keys():
            resolved = policy.to_core(file.groups).approvers or ()
            if message := quorum_message(resolved, policy.min_approvals):
                yield (*location, "minApprovals"), message


def _policies(file: DaemonFile) -> Iterable[tuple[Location, PolicyPart]]:
    for number, policy in enumerate(file.policies):
        yield ("policies", number), policy
        if policy.freeze_override is not None:
            yield ("policies", number, "freezeOverride"), policy.freeze_override
    for name, target in file.targets.items():
        if target.gate is not None:
            yield ("targets", name, "gate"), target.gate


def _references(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, Mapping):
        reference = value.get("secretRef")
        if isinstance(reference, Mapping) and isinstance(reference.get("name"), str):
            yield (*location, "secretRef", "name"), reference["name"]
        for key, item in value.items():
            yield from _references(item, (*location, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _references(item, (*location, number))
