"""The folder where clones lie: which of them nobody needs any more."""

import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from gitops_wf.adapters.git_cli.recovery import ASIDE, BESIDE
from gitops_wf.core.errors import TransientError, cut
from gitops_wf.core.identifiers import RepositoryName

_SUFFIX = ".git"


def clone_at(folder: Path, repository: RepositoryName) -> Path:
    """Return where a repository's clone lies."""
    return folder / f"{repository}{_SUFFIX}"


class CloneFolder:
    """The Clones role on a folder that is the daemon's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def forget(
        self,
        keep: Collection[RepositoryName],
        before: datetime,
        *,
        damaged_before: datetime,
    ) -> int:
        """Delete clones of other repositories, and damaged ones that were moved aside.

        Only those that nobody has written to since: a repository that is soon back in
        the config finds its clone, and the commits that it held.
        """
        kept = {clone_at(self._folder, name) for name in keep}
        count = 0
        try:
            for clone in sorted(self._folder.iterdir()):
                is_aside = clone.name.endswith((_SUFFIX + ASIDE, _SUFFIX + BESIDE))
                is_clone = clone.suffix == _SUFFIX and clone not in kept
                if clone.is_symlink() or not (is_aside or is_clone):
                    continue
                if _touched(clone) < (damaged_before if is_aside else before):
                    shutil.rmtree(clone)
                    count += 1
        except FileNotFoundError:
            return count  # no clone was made yet, or one was renamed meanwhile
        except OSError as exc:
            message = f"{self._folder}: an old clone cannot be deleted: {cut(str(exc))}"
            raise TransientError(message) from exc
        return count


def _touched(clone: Path) -> datetime:
    """Return when a clone was written to last, or moved aside."""
    places = (clone, *clone.iterdir(), clone / "objects" / "pack")
    stats = [place.lstat() for place in places if place.exists()]
    newest = max(max(stat.st_mtime, stat.st_ctime) for stat in stats)
    return datetime.fromtimestamp(newest, UTC)
