"""What keeps a revision whose turn has come from beginning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gitops_wf.core.environment import After
from gitops_wf.core.identifiers import repository_name
from gitops_wf.core.phases import Reason
from gitops_wf.core.queue import Hold, held_by
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import Reader
from gitops_wf.services.brake import paused_text
from gitops_wf.services.known_revisions import newest_up_to

LOOK_AGAIN = timedelta(minutes=1)
"""When another repository's environment is looked at again.

The end of a run there is told at once; what is adopted, or ends without a run, is not.
"""


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
    for after in definition.after:
        hold = held_by(after, _others(reader, after, revision), revision, now)
        if hold is not None:
            is_far = after.repository is not None and hold.until is None
            return replace(hold, until=now + LOOK_AGAIN) if is_far else hold
    return None


def _others(reader: Reader, after: After, revision: Revision) -> Sequence[Revision]:
    """Return the revision that is waited for, if there is one."""
    other = after.seen_from(repository_name(revision.environment))
    if after.repository is not None:
        return reader.revisions(other, limit=1)
    newest = newest_up_to(reader, other, revision.position)
    return () if newest is None else (newest,)
