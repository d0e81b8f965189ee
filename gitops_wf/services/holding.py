"""What keeps a revision whose turn has come from beginning."""

from datetime import datetime

from gitops_wf.core.identifiers import environment_id, repository_name
from gitops_wf.core.phases import Reason
from gitops_wf.core.queue import Hold, held_by
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import Reader
from gitops_wf.services.brake import paused_text
from gitops_wf.services.known_revisions import newest_up_to


def hold_of(
    reader: Reader, revision: Revision, newest: Revision, now: datetime
) -> Hold | None:
    """Say why a revision may not begin yet; a rollback waits for no environment.

    ``newest`` of the environment says whether it is paused: a commit that ends the
    pause would else wait behind those that it was made for.
    """
    paused = paused_text(reader, revision.environment)
    if paused:
        return Hold(reason=Reason.PAUSED, message=paused)
    definition = revision.environment_definition
    if definition is None or revision.is_rollback:
        return None
    latest = newest.environment_definition
    if latest is not None and latest.suspend:
        text = "environment.yaml says suspend: true"
        return Hold(reason=Reason.PAUSED, message=text)
    repository = repository_name(revision.environment)
    for after in definition.after:
        other = environment_id(repository, after.environment)
        newest_of = newest_up_to(reader, other, revision.position)
        others = () if newest_of is None else (newest_of,)
        hold = held_by(after, others, revision, now)
        if hold is not None:
            return hold
    return None
