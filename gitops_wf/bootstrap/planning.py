"""Planning what a commit would do: everything that a daemon has, but for its writes."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.cluster_secrets import ClusterSecrets
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.git_cli import Conflicted, Preview, WorkTree, find_work_tree
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.renderers import Tools
from gitops_wf.adapters.sql_store import ReadingStore, open_for_reading
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.bootstrap.targets import open_target, sandbox_kubeconfig
from gitops_wf.core.config import (
    DaemonConfig,
    RepositoryConfig,
    TargetConfig,
    TargetKind,
)
from gitops_wf.core.errors import GitOpsError, TerminalError
from gitops_wf.core.identifiers import Sha, TargetName
from gitops_wf.core.redaction import Redactor
from gitops_wf.definitions.daemon import known_of
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.definitions.remembered import RememberedManifests
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery import RehearsedClusters
from gitops_wf.ports.runner import Capabilities
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.content import RepositoryContent
from gitops_wf.services.plan import Plan, Wish
from gitops_wf.services.plan_run import PlanRun
from gitops_wf.services.plan_views import PlannedCommit
from gitops_wf.services.pushing import Pushing
from gitops_wf.services.recall import Recall
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person asks: of which commit, against what, and about which part.

    ``commit`` is a name, or ``A..B``; empty is the work tree as it is. ``against`` is
    a name; empty is the watched branch. ``repository`` is needed where the config has
    several that could be meant.
    """

    commit: str = ""
    against: str = ""
    environments: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    repository: str = ""
    all_: bool = False


def plan_commit(
    config: DaemonConfig,
    question: Question,
    here: Path,
    redactor: Redactor,
    progress: Callable[[str], None],
) -> PlannedCommit:
    """Return what the daemon would do.

    Errors: TerminalError where it is not clear what is asked, or the merge has
    conflicts; those of Git, and of a sandbox that does not start.
    """
    repository, tree = _repository(config, question.repository, here)
    with Preview(tree.path, repository.branch) as git, ExitStack() as stack:
        wish = _wish(question, repository, tree, git)
        store = stack.enter_context(_store(config))
        if store is None:
            note = "the daemon's store is not here: numbers and rollbacks are not known"
            wish = replace(wish, notes=(*wish.notes, note))
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-wf-render-"))
        )
        watched = Watched(config=repository, git=git)
        clusters, supposed = _clusters(config, redactor)
        cloud = cloud_rules(config)
        catalogue = EntryPointCatalogue()
        definitions = DefinitionReader(catalogue, known_of(config, cloud))
        # Of the other repositories only the grants are looked at.
        grants = {
            each.name: Watched(config=each, git=git) for each in config.repositories
        }
        rehearsed = RehearsedClusters(clusters, supposed)
        runners = StepRunners(
            catalogue=catalogue,
            capabilities=Capabilities(
                clusters=rehearsed,
                content=RepositoryContent({repository.name: watched}),
                outbound=HttpOutbound(AddressGuard(config.outbound)),
                secrets=ConfigSecrets(
                    config.secrets.values(),
                    environ=os.environ,
                    redactor=redactor,
                    objects=ClusterSecrets(clusters),
                ),
                instance=config.instance,
                adopt=config.adopt,
                channels=config.channels,
                manifests=RememberedManifests(read_manifests),
                health=health_rules(config),
                cloud=cloud,
                renderer=Tools(folder / "render"),
                writers=Pushing(grants, definitions.is_environment_folder),
            ),
        )
        return Plan(
            watched=watched,
            definitions=definitions,
            recall=Recall(
                clusters=rehearsed, instance=config.instance, adopt=config.adopt
            ),
            runs=PlanRun(
                runners=runners,
                approvals=Approvals(rulebook=config.rulebook),
                targets=_targets(config, question.targets),
            ),
            store=store,
            now=SystemClock().now(),
            progress=progress,
        ).plan(wish)


def _repository(
    config: DaemonConfig, name: str, here: Path
) -> tuple[RepositoryConfig, WorkTree]:
    """Return the repository that is meant, and a person's work tree of it."""
    named = [each for each in config.repositories if name in {"", each.name}]
    if not named:
        known = ", ".join(each.name for each in config.repositories) or "none"
        raise TerminalError(
            f"no repository {name} in the daemon config; there: {known}",
            reason="NotFound",
        )
    found = [
        (each, tree)
        for each in named
        if (tree := find_work_tree(here, each.url)) is not None
    ]
    around = [(each, tree) for each, tree in found if here.is_relative_to(tree.path)]
    for candidates in (around, found):
        if len(candidates) == 1:
            return candidates[0]
    if found:
        names = ", ".join(each.name for each, _ in found)
        raise TerminalError(
            f"say which repository is meant: --repository {names}", reason="Ambiguous"
        )
    urls = ", ".join(each.url for each in named)
    raise TerminalError(
        f"{here} is no work tree of {urls}: go to a clone of it (its remote must be "
        "that URL)",
        reason="NoWorkTree",
    )


def _wish(
    question: Question, repository: RepositoryConfig, tree: WorkTree, git: Preview
) -> Wish:
    """Say which commit is meant, and what it is compared with."""
    first, dots, last = question.commit.partition("..")
    against = question.against or (first if dots else "")
    name = last if dots else first
    base_name, base = _base(against, repository, tree, git)
    head = _resolved(name or "HEAD", git)
    source = f"{name or 'HEAD'} {head[:8]}"
    if not name:
        made = git.work_tree_commit(head)
        if made != head:
            source += " with changes that are not committed"
            head = made
    result = git.merged(base, head)
    if isinstance(result, Conflicted):
        raise TerminalError(
            f"{source} cannot be merged into {base_name} {base[:8]}: conflicts in "
            f"{', '.join(result.paths)}; merge {base_name} into it first",
            reason="MergeConflict",
        )
    notes: tuple[str, ...] = ()
    if result == base:
        notes = (f"{source} is in {base_name} already",)
    how = ", on" if result == head else ", merged into"
    return Wish(
        base=base,
        commit=result,
        source=f"{source}{how} {base_name} {base[:8]}",
        names=question.environments,
        all_=question.all_,
        notes=notes,
    )


def _base(
    against: str, repository: RepositoryConfig, tree: WorkTree, git: Preview
) -> tuple[str, Sha]:
    """Return the branch as it is: as it was fetched last, or as it is here."""
    if against:
        return against, _resolved(against, git)
    branch = repository.branch
    if tree.remote is not None:
        found = git.resolved(f"refs/remotes/{tree.remote}/{branch}")
        if found is None:
            raise TerminalError(
                f"{tree.path} has no {tree.remote}/{branch}: git fetch {tree.remote} "
                f"{branch}:refs/remotes/{tree.remote}/{branch}, or name by --against "
                "what to compare with",
                reason="NotFound",
            )
        return f"{tree.remote}/{branch}", found
    found = git.resolved(f"refs/heads/{branch}")
    if found is None:
        raise TerminalError(
            f"there is no branch {branch} in {tree.path}, or no commit on it yet: plan"
            " after the first, or name by --against what to compare with",
            reason="NotFound",
        )
    return branch, found


def _resolved(name: str, git: Preview) -> Sha:
    found = git.resolved(name)
    if found is None:
        shallow = "; the clone is shallow: git fetch --unshallow" * git.is_shallow()
        raise TerminalError(f"{name}: no such commit here{shallow}", reason="NotFound")
    return found


def _targets(config: DaemonConfig, names: tuple[str, ...]) -> tuple[TargetName, ...]:
    for name in names:
        if name not in config.targets and not config.is_all_sandbox:
            known = ", ".join(sorted(config.targets)) or "none"
            raise TerminalError(
                f"target {name} is not in the daemon config; there: {known}",
                reason="NotFound",
            )
    return tuple(map(TargetName, names))


def _clusters(
    config: DaemonConfig, redactor: Redactor
) -> tuple[ConfiguredClusters, Callable[[TargetName], bool]]:
    """Return the targets' clusters, and which targets are namespaces of a sandbox."""
    sandboxed = {
        name
        for name, target in config.targets.items()
        if target.kind is TargetKind.SANDBOX
    }
    targets = dict(config.targets)
    path = str(sandbox_kubeconfig(config)) if sandboxed else ""
    for name in sandboxed:
        targets[name] = replace(targets[name], kind=TargetKind.KUBECONFIG, path=path)

    def unknown(name: TargetName) -> TargetConfig:
        return TargetConfig(
            name=name, kind=TargetKind.KUBECONFIG, path=path, namespace=name
        )

    return (
        ConfiguredClusters(
            targets,
            partial(open_target, redactor=redactor),
            unknown if config.is_all_sandbox else None,
        ),
        lambda name: name in sandboxed or name not in targets,
    )


@contextmanager
def _store(config: DaemonConfig) -> Iterator[ReadingStore | None]:
    """Open the daemon's store to look at it; None where that cannot be."""
    try:
        store = open_for_reading(config.store)
    except GitOpsError:
        yield None
        return
    try:
        yield store
    finally:
        store.close()
