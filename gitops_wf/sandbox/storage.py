"""Objects, their versions and a bounded log of changes, in one SQLite file.

Everything is held in memory and written through in one transaction per change, so a
reader never waits for the disk and a killed process loses nothing that was answered.
A stored object is never changed in place: whoever gets one must not change it either.
"""

from __future__ import annotations

import bisect
import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.sandbox.objects import (
    Manifest,
    Manifests,
    metadata,
    name_of,
    namespace_of,
)

# A client may name version 1 as "long ago", so the first versions never existed.
FIRST_REVISION = 100
HISTORY = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  collection TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (collection, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
  revision INTEGER PRIMARY KEY, type TEXT NOT NULL, collection TEXT NOT NULL,
  body TEXT NOT NULL, old TEXT
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ADDED, MODIFIED or DELETED, the object after it and before it."""

    revision: int
    type: str
    collection: str
    object: Manifest
    old: Manifest | None


class Compacted(Exception):  # noqa: N818 - what happened, not an error of ours
    """The asked past is no longer in the log."""


class _Collection:
    """The objects of one kind, ordered by namespace and name."""

    __slots__ = ("keys", "objects")

    def __init__(self) -> None:
        self.keys: list[tuple[str, str]] = []
        self.objects: dict[tuple[str, str], Manifest] = {}

    def put(self, key: tuple[str, str], manifest: Manifest) -> None:
        if key not in self.objects:
            bisect.insort(self.keys, key)
        self.objects[key] = manifest

    def drop(self, key: tuple[str, str]) -> None:
        if self.objects.pop(key, None) is not None:
            del self.keys[bisect.bisect_left(self.keys, key)]

    def within(self, namespace: str | None) -> Iterable[tuple[str, str]]:
        if namespace is None:
            return self.keys
        start = bisect.bisect_left(self.keys, (namespace, ""))
        end = bisect.bisect_left(self.keys, (namespace + "\0", ""))
        return self.keys[start:end]


class Storage:
    """The state of one sandbox cluster. Thread-safe; `lock` spans several calls."""

    def __init__(self, path: Path | str, *, history: int = HISTORY) -> None:
        """Open or create the file; ':memory:' keeps nothing."""
        self.lock = threading.RLock()
        self._history = history
        self._collections: dict[str, _Collection] = {}
        self._log: deque[Change] = deque()
        self._callbacks: list[Callable[[Change], None]] = []
        self._database = sqlite3.connect(
            str(path), isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing with NORMAL; only a power cut might.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        self._load()

    def _load(self) -> None:
        rows = self._database.execute(
            "SELECT collection, namespace, name, body FROM objects"
        )
        for collection, namespace, name, body in rows:
            self._collection(collection).put((namespace, name), json.loads(body))
        rows = self._database.execute(
            "SELECT revision, type, collection, body, old FROM changes "
            "ORDER BY revision"
        )
        for revision, kind, collection, body, old in rows:
            self._log.append(
                Change(
                    revision,
                    kind,
                    collection,
                    json.loads(body),
                    json.loads(old) if old else None,
                )
            )
        self.compacted = int(self._fact("compacted") or FIRST_REVISION)
        self.revision = self._log[-1].revision if self._log else self.compacted

    def _fact(self, name: str) -> str | None:
        row = self._database.execute(
            "SELECT value FROM facts WHERE name = ?", (name,)
        ).fetchone()
        return row[0] if row else None

    def _collection(self, name: str) -> _Collection:
        return self._collections.setdefault(name, _Collection())

    def get(self, collection: str, namespace: str, name: str) -> Manifest | None:
        """The stored object, or None."""
        with self.lock:
            return self._collection(collection).objects.get((namespace, name))

    def list(self, collection: str, namespace: str | None = None) -> Manifests:
        """The objects in order of namespace and name; None is every namespace."""
        with self.lock:
            found = self._collection(collection)
            return [found.objects[key] for key in found.within(namespace)]

    def list_at(
        self, collection: str, namespace: str | None, revision: int
    ) -> Manifests:
        """The objects as they were at a revision; raises Compacted."""
        with self.lock:
            if revision < self.compacted:
                raise Compacted
            past = {
                (namespace_of(one), name_of(one)): one
                for one in self.list(collection, namespace)
            }
            for change in reversed(self._log):
                if change.revision <= revision:
                    break
                key = (namespace_of(change.object), name_of(change.object))
                if change.collection != collection or (
                    namespace is not None and key[0] != namespace
                ):
                    continue
                if change.old is None:
                    past.pop(key, None)
                else:
                    past[key] = change.old
            return [past[key] for key in sorted(past)]

    def changes_after(self, revision: int) -> Sequence[Change]:
        """The changes later than a revision, oldest first; raises Compacted."""
        with self.lock:
            if revision < self.compacted:
                raise Compacted
            # Revisions are consecutive, so the place in the log is arithmetic.
            behind = min(self.revision - revision, len(self._log))
            if behind <= 0:
                return []
            return [
                self._log[at] for at in range(len(self._log) - behind, len(self._log))
            ]

    def put(self, collection: str, manifest: Manifest) -> Manifest:
        """Store an object under its name with the next resourceVersion, and return it.

        The given object is the stored one from here on.
        """
        with self.lock:
            key = (namespace_of(manifest), name_of(manifest))
            old = self._collection(collection).objects.get(key)
            self._number(manifest)
            body = json.dumps(manifest, separators=(",", ":"))
            change = Change(
                self.revision + 1,
                "MODIFIED" if old else "ADDED",
                collection,
                manifest,
                old,
            )
            statement = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)"
            self._commit(change, body, (statement, (collection, *key, body)))
            self._collection(collection).put(key, manifest)
            self._publish(change)
            return manifest

    def remove(self, collection: str, namespace: str, name: str) -> Manifest:
        """Remove an object; returns what was stored, at the version of the removal."""
        with self.lock:
            key = (namespace, name)
            old = self._collection(collection).objects[key]
            last = {**old, "metadata": {**metadata(old)}}
            self._number(last)
            body = json.dumps(last, separators=(",", ":"))
            change = Change(self.revision + 1, "DELETED", collection, last, old)
            statement = (
                "DELETE FROM objects "
                "WHERE collection = ? AND namespace = ? AND name = ?"
            )
            self._commit(change, body, (statement, (collection, *key)))
            self._collection(collection).drop(key)
            self._publish(change)
            return last

    def _number(self, manifest: Manifest) -> None:
        metadata(manifest)["resourceVersion"] = str(self.revision + 1)

    def _commit(
        self, change: Change, body: str, statement: tuple[str, tuple[str, ...]]
    ) -> None:
        old = json.dumps(change.old, separators=(",", ":")) if change.old else None
        self._database.execute("BEGIN")
        try:
            self._database.execute(*statement)
            self._database.execute(
                "INSERT INTO changes VALUES (?, ?, ?, ?, ?)",
                (change.revision, change.type, change.collection, body, old),
            )
            # Trimming in blocks keeps the file bounded without a delete per write.
            if len(self._log) >= self._history + self._history // 10 + 1:
                self._trim()
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def _trim(self) -> None:
        while len(self._log) > self._history:
            self.compacted = self._log.popleft().revision
        self._database.execute(
            "DELETE FROM changes WHERE revision <= ?", (self.compacted,)
        )
        self._database.execute(
            "INSERT OR REPLACE INTO facts VALUES ('compacted', ?)",
            (str(self.compacted),),
        )

    def _publish(self, change: Change) -> None:
        self.revision = change.revision
        self._log.append(change)
        for callback in list(self._callbacks):
            callback(change)

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back after each change, in order and under the lock: be quick."""
        with self.lock:
            self._callbacks.append(callback)

        def unsubscribe() -> None:
            with self.lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return unsubscribe

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._database.close()
