"""The revision of a commit that removed an environment: it deletes its objects."""

from dataclasses import replace
from datetime import datetime

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.engine import removing
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import cut
from gitops_wf.core.revision import REMOVED, Revision
from gitops_wf.core.workflow import Workflow
from gitops_wf.ports.store import EnvironmentRecord, Reader
from gitops_wf.services.departures import latest_runs


def removal(
    reader: Reader,
    record: EnvironmentRecord,
    definition: Environment,
    commit: CommitInfo,
    *,
    branch: str,
    position: int,
    now: datetime,
) -> Revision | None:
    """Return it; None where the environment has nothing on any target.

    Its workflow deletes what every step owns. Nothing in the folder's last definition
    holds it: with the folder, nobody could change `suspend` or `after` any more.
    """
    owning = [
        target
        for target, inventory in reader.inventories(record.id).items()
        if inventory.entries
    ]
    workflow = removing(owning, earlier=latest_runs(reader, record.id))
    if not workflow.steps:
        return None
    return deleting(
        record,
        definition,
        commit,
        workflow,
        branch=branch,
        position=position,
        now=now,
    )


def deleting(
    record: EnvironmentRecord,
    definition: Environment,
    commit: CommitInfo,
    workflow: Workflow,
    *,
    branch: str,
    position: int,
    now: datetime,
) -> Revision:
    """Return the revision whose workflow deletes what an environment has."""
    return Revision(
        environment=record.id,
        number=record.last_number + 1,
        commit=commit.sha,
        branch=branch,
        position=position,
        inputs=REMOVED,
        author=cut(str(commit.author)),
        author_email=commit.author.email,
        subject=cut(commit.subject),
        source=cut(commit.source_commit or ""),
        changed=(record.folder,),
        created=now,
        environment_definition=replace(
            definition, suspend=False, after=(), allow_empty=True
        ),
        workflow=workflow,
    )
