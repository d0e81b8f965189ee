"""Sees pushes to repositories on this machine's disk as they land, by inotify and such.

An accelerator, not a promise: polling goes on and finds what a watch misses.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from watchfiles import watch

from gitops_wf.core.errors import TransientError

_DEBOUNCE_MS = 20
_STEP_MS = 20  # each step costs some 0.1 ms of CPU, also when nothing happens
_READY_MS = 100
"""How soon a watch that hears nothing says that it stands."""


class LocalWatch:
    """Calls `on_change(name)` when refs of a watched repository change.

    One thread for all of them; `on_change` runs in it, so it should only wake somebody.
    A repository that is not there (yet) is not in `watched`, which is no error.
    """

    def __init__(
        self, repositories: Mapping[str, Path], on_change: Callable[[str], None]
    ) -> None:
        found = {name: _ref_directories(path) for name, path in repositories.items()}
        self._names = {
            place: name for name, places in found.items() for place in places
        }
        self._on_change = on_change
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(
            target=self._watch, name="local-watch", daemon=True
        )

    @property
    def watched(self) -> frozenset[str]:
        """Names of the repositories that are really watched."""
        return frozenset(self._names.values())

    def start(self) -> None:
        """Returns when the watch stands; `TransientError` if the system refuses it."""
        if not self._names:
            return
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            message = f"cannot watch local repositories: {self._failure}"
            raise TransientError(message) from self._failure

    def stop(self) -> None:
        """Ends the thread; no `on_change` is called after it returns."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        try:
            for changes in watch(
                *self._names,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._stopping,
                rust_timeout=_READY_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                self._ready.set()
                for name in self._changed(path for _, path in changes):
                    self._on_change(name)
        except (OSError, RuntimeError) as exc:  # what notify's own errors become
            self._failure = exc
        finally:
            self._ready.set()

    def _changed(self, paths: Iterable[str]) -> frozenset[str]:
        """Which repositories the changed paths belong to."""
        touched = {
            parent for path in paths for parent in (Path(path), *Path(path).parents)
        }
        return frozenset(
            name for place, name in self._names.items() if place in touched
        )


def _ref_directories(path: Path) -> tuple[Path, ...]:
    """Where a repository keeps its branches: `refs`, and `reftable` in newer ones.

    A push writes there in any case: even the update of a packed ref takes a lock in
    `refs`. Reflogs and `packed-refs` say nothing more.
    """
    git_dir = _git_dir(path.absolute())
    places = (git_dir / "refs", git_dir / "reftable") if git_dir else ()
    return tuple(place.resolve() for place in places if place.is_dir())


def _git_dir(path: Path) -> Path | None:
    """Where the refs of a bare repository, a work tree or a linked one are."""
    dot_git = path / ".git"
    if dot_git.is_file():  # `gitdir: …`, written by git worktree and submodule
        text = dot_git.read_text("utf-8", "replace").partition(":")[2].strip()
        linked = (path / text).resolve()
        common = linked / "commondir"
        if common.is_file():
            return (linked / common.read_text("utf-8", "replace").strip()).resolve()
        return linked
    git_dir = dot_git if dot_git.is_dir() else path
    return git_dir if (git_dir / "HEAD").is_file() else None
