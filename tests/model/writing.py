"""Commits as real Git objects, written without a process: that costs no time.

Loose objects are Git's own format (gitformat-loose(5)); the daemon's clone fetches
them with the real `git`.
"""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.gitworktree import FIRST_DATE
from tests.model.words import ASK_TIMEOUT, FLOWS, Commit, Entry, Folder, Step, Tree

API = "apiVersion: gitops-wf.io/v1alpha1\n"


class GitWriter:
    """Writes commits into a bare repository and moves its branch."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.history: dict[str, Commit] = {}
        self._written: set[str] = set()

    def commit(self, parents: tuple[str, ...], author: str, tree: Tree) -> Commit:
        """A commit with a date of its own, so that no two are one."""
        at = FIRST_DATE + timedelta(minutes=len(self.history))
        who = f"{author} <{author}> {int(at.timestamp())} +0000"
        lines = [f"tree {self._tree(rendered(tree))}"]
        lines += [f"parent {parent}" for parent in parents]
        lines += [f"author {who}", f"committer {who}", "", f"{len(self.history)}\n"]
        sha = self._object("commit", "\n".join(lines).encode())
        self.history[sha] = Commit(sha, parents, author, tree)
        return self.history[sha]

    def move_branch(self, sha: str) -> None:
        """As a push that ends there, forced or not."""
        (self.bare / "refs/heads/main").write_text(f"{sha}\n")

    def _tree(self, files: Mapping[str, str]) -> str:
        inner: dict[str, dict[str, str]] = {}
        entries: list[tuple[str, str, str]] = []
        for path, text in files.items():
            first, _, rest = path.partition("/")
            if rest:
                inner.setdefault(first, {})[rest] = text
            else:
                entries.append(("100644", first, self._object("blob", text.encode())))
        entries += [("40000", name, self._tree(below)) for name, below in inner.items()]
        # Git sorts a folder as if its name ended with a slash.
        entries.sort(key=lambda e: e[1] + ("/" if e[0] == "40000" else ""))
        data = b"".join(
            f"{mode} {name}\0".encode() + bytes.fromhex(oid)
            for mode, name, oid in entries
        )
        return self._object("tree", data)

    def _object(self, kind: str, data: bytes) -> str:
        body = f"{kind} {len(data)}\0".encode() + data
        oid = hashlib.sha1(body).hexdigest()
        if oid not in self._written:
            self._written.add(oid)
            file = self.bare / "objects" / oid[:2] / oid[2:]
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(body, 1))
        return oid


def rendered(tree: Tree) -> dict[str, str]:
    """The files of a commit."""
    files = {"README.md": "words\n"}
    for name, folder in tree.items():
        place = f"envs/{name}{'-moved' if folder.moved else ''}"
        files |= {f"{place}/{file}": text for file, text in _files(name, folder)}
    return files


def _files(name: str, folder: Folder) -> list[tuple[str, str]]:
    content = folder.content
    targets = dict.fromkeys(s.target for s in FLOWS[content.flow] if not s.asks)
    environment = (
        f"{API}kind: Environment\nname: {name}\nprune: false\n"
        f"commits: {content.commits}\nmaxPending: {content.most}\n"
        f"targets: [{', '.join(targets)}]\n"
    )
    if content.after:
        soak = f"{int(content.soak.total_seconds())}s"
        environment += f"after: [{{environment: {content.after}, soak: {soak}}}]\n"
    steps = "".join(f"  - {_step(step)}\n" for step in FLOWS[content.flow])
    broken = "  - {name: odd, type: no-such-type}\n" if content.invalid else ""
    return [
        ("environment.yaml", environment),
        ("workflow.yaml", f"{API}kind: Workflow\nsteps:\n{steps}{broken}"),
        ("value.yaml", f"value: {content.value}\noutcome: {content.outcome}\n"),
        ("README.md", f"{folder.docs}\n"),
        *((f, _approvals(entries)) for f, entries in folder.approvals.items()),
    ]


def _step(step: Step) -> str:
    fields = [f"name: {step.name}"]
    if step.asks:
        hours = int(ASK_TIMEOUT.total_seconds()) // 3600
        fields += ["type: suspend", f"timeout: {hours}h"]
    else:
        fields += ["type: deploy2env", f"properties: {{target: {step.target}}}"]
    if step.always:
        fields.append("if: always")
    if step.unless_rollback:
        fields.append("if: '!revision.rollback'")
    if step.retries:
        fields.append(f"retry: {{limit: {step.retries}, backoff: {{duration: 10s}}}}")
    return f"{{{', '.join(fields)}}}"


def _approvals(entries: tuple[Entry, ...] | None) -> str:
    if entries is None:
        return "approvals: [{broken\n"
    return "approvals:\n" + "".join(f"  - {_entry(entry)}\n" for entry in entries)


def _entry(entry: Entry) -> str:
    fields = [f"revision: '{entry.revision}'", f"decision: {entry.verb}"]
    fields += [f"step: {entry.step}"] if entry.step else []
    fields += [f"by: '{entry.by}'"] if entry.by else []
    fields += [f"run: {entry.run}"] if entry.run is not None else []
    fields += [f"comment: '{entry.comment}'"] if entry.comment else []
    fields += [f"expires: '{entry.expires.isoformat()}'"] if entry.expires else []
    return f"{{{', '.join(fields)}}}"
