"""Private folders that hold the files of one render, and go when it ends."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gitops_wf.core.errors import DefinitionError, TransientError, cut
from gitops_wf.ports.content import File


class Workspaces:
    """Makes them below one folder; what an earlier process left there is deleted."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder

    @contextmanager
    def holding(self, files: Iterable[File]) -> Iterator[Path]:
        """A folder with these files, which only this user can read.

        Errors: TransientError where the disk is full or cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder) as name:
                place = Path(name)
                for file in files:
                    _write(place, file)
                yield place
        except OSError as exc:
            raise TransientError(f"{self._folder}: {cut(str(exc))}") from exc


def _write(place: Path, file: File) -> None:
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts:
        raise DefinitionError(file.path, None, "leads out of the repository")
    target = place / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.data)
