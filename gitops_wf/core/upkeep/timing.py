"""When an environment is looked at: each at a moment of its own in every interval."""

import hashlib
from datetime import UTC, datetime, timedelta

from gitops_wf.core.identifiers import EnvironmentId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_look(
    environment: EnvironmentId, interval: timedelta, after: datetime
) -> datetime:
    """Return the first look later than a time.

    Looks are an interval apart, at a place in it that only the name decides. So many
    environments are spread evenly, and a restart neither brings all of them at once
    nor puts any of them off.
    """
    digest = hashlib.sha256(environment.encode("utf-8", "surrogateescape")).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    first = _EPOCH + interval * place
    return first + ((after - first) // interval + 1) * interval
