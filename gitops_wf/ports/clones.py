"""What lies on the daemon's disk beside the store: clones, and what they leave."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gitops_wf.core.identifiers import RepositoryName


class Clones(Protocol):
    """The folder of the clones."""

    def forget(
        self,
        keep: Collection[RepositoryName],
        before: datetime,
        *,
        damaged_before: datetime,
    ) -> int:
        """Delete what no repository in ``keep`` needs any more; return how much.

        Clones of other repositories that nobody has written to since ``before``, and
        damaged clones that were moved aside before their time. Errors: TransientError.
        """
