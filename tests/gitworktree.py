"""Builders of real Git history for tests: bare repositories and work trees.

All of it runs git without the machine's configuration and with fixed dates, so the
same calls give the same commit ids on every machine.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ANN = "Ann <ann@example.com>"
BOB = "Bob <bob@example.com>"
FIRST_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def git_env(**more: str) -> dict[str, str]:
    """The environment without Git's variables and without anybody's configuration."""
    env = {key: v for key, v in os.environ.items() if not key.startswith("GIT_")}
    env |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
        "LC_ALL": "C",
    }
    return env | more


def run_git(
    directory: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> str:
    """Standard output of one git command, less the last newline; fails with stderr."""
    done = subprocess.run(
        ["git", *args],
        cwd=directory,
        env=dict(env) if env is not None else git_env(),
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(
            f"git {' '.join(args)} gave {done.returncode}: {done.stderr.decode(errors='replace')}"
        )
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def bare_repository(path: Path, branch: str = "main") -> Path:
    """A new bare repository that serves partial clones, as the big hosts do."""
    path.mkdir(parents=True)
    run_git(path, "init", "-q", "--bare", f"--initial-branch={branch}", ".")
    run_git(path, "config", "uploadpack.allowFilter", "true")
    run_git(path, "config", "http.receivepack", "true")
    run_git(path, "config", "receive.denyDeleteCurrent", "ignore")
    return path


@dataclass
class GitWorkTree:
    """A work tree in which tests commit as different people; one minute per commit."""

    path: Path
    branch_name: str = "main"
    author: str = ANN
    clock: datetime = FIRST_DATE

    @classmethod
    def init(
        cls, path: Path, branch: str = "main", remote: str | None = None
    ) -> "GitWorkTree":
        """A new empty work tree; `remote` becomes its `origin`."""
        path.mkdir(parents=True, exist_ok=True)
        tree = cls(path, branch)
        tree.git("init", "-q", f"--initial-branch={branch}", ".")
        tree.git("config", "core.autocrlf", "false")
        if remote is not None:
            tree.git("remote", "add", "origin", remote)
        return tree

    @classmethod
    def clone(
        cls, url: str, path: Path, branch: str = "main", author: str = ANN
    ) -> "GitWorkTree":
        """A clone of `url`, as another person would have it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        run_git(path.parent, "clone", "-q", "--branch", branch, url, str(path))
        return cls(path, branch, author)

    def git(
        self,
        *args: str,
        author: str | None = None,
        committer: str | None = None,
        date: datetime | None = None,
        stdin: bytes = b"",
    ) -> str:
        """Any git command here, as `author` (and `committer`) at `date`."""
        who = author or self.author
        by = committer or who
        at = date or self.clock
        stamp = f"{int(at.timestamp())} +0000"
        env = git_env(
            GIT_AUTHOR_NAME=_name(who),
            GIT_AUTHOR_EMAIL=_email(who),
            GIT_AUTHOR_DATE=stamp,
            GIT_COMMITTER_NAME=_name(by),
            GIT_COMMITTER_EMAIL=_email(by),
            GIT_COMMITTER_DATE=stamp,
            GIT_EDITOR="true",
        )
        return run_git(self.path, *args, env=env, stdin=stdin)

    def head(self, rev: str = "HEAD") -> str:
        """Full id of a revision."""
        return self.git("rev-parse", "--verify", rev)

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Writes files (None deletes) and stages them."""
        for name, content in files.items():
            file = self.path / name
            if content is None:
                self.git("rm", "-q", "-r", "--ignore-unmatch", "--", name)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        if written := [name for name, content in files.items() if content is not None]:
            self.git("add", "-f", "--", *written)

    def commit(
        self,
        files: Mapping[str, str | bytes | None] | None = None,
        message: str = "Change",
        *,
        author: str | None = None,
        committer: str | None = None,
        date: datetime | None = None,
        sign: bool = False,
    ) -> str:
        """Commits files (an empty commit without any); its id."""
        self.write(files or {})
        args = ["commit", "-q", "--allow-empty", "-m", message]
        args += ["-S"] if sign else ["--no-gpg-sign"]
        self.git(*args, author=author, committer=committer, date=self._tick(date))
        return self.head()

    def import_commits(self, changes: Sequence[tuple[str, str]]) -> list[str]:
        """One commit for each (path, content), fast even for thousands; their ids.

        The work tree stays behind: `checkout` a branch to see the files.
        """
        parent = self.git("rev-parse", "--verify", "-q", self.branch_name)
        ref = f"refs/heads/{self.branch_name}"
        stream = f"reset {ref}\nfrom {parent}\n\n".encode()
        for path, content in changes:
            at = int(self._tick(None).timestamp())
            subject, data = f"Change {path}".encode(), content.encode()
            stream += f"commit {ref}\ncommitter {self.author} {at} +0000\n".encode()
            stream += b"data %d\n%s\n" % (len(subject), subject)
            stream += f"M 100644 inline {path}\n".encode()
            stream += b"data %d\n%s\n\n" % (len(data), data)
        self.git("fast-import", "--quiet", stdin=stream)
        args = ("rev-list", "--reverse", f"--max-count={len(changes)}")
        return self.git(*args, "--first-parent", self.branch_name).split()

    def merge(
        self,
        *others: str,
        message: str = "Merge",
        author: str | None = None,
        strategy: str | None = None,
        files: Mapping[str, str | bytes | None] | None = None,
    ) -> str:
        """A merge commit, never a fast-forward; `files` are the merge's own changes."""
        args = ["merge", "-q", "--no-ff", "-m", message]
        args += ["-s", strategy] if strategy else []
        args += ["--no-commit"] if files is not None else []
        self.git(*args, *others, author=author, date=self._tick(None))
        if files is not None:
            self.write(files)
            self.git("commit", "-q", "-m", message, author=author)
        return self.head()

    def revert(
        self, *revs: str, mainline: int | None = None, author: str | None = None
    ) -> str:
        """`git revert`, one commit per revision; the last one's id."""
        args = ["revert", "--no-edit"]
        args += ["-m", str(mainline)] if mainline is not None else []
        self.git(*args, *revs, author=author, date=self._tick(None))
        return self.head()

    def restore(
        self, rev: str, *paths: str, message: str = "Restore", author: str | None = None
    ) -> str:
        """Makes `paths` what they were at `rev`, files added since removed; commits."""
        for path in paths:
            self.git("rm", "-r", "-q", "--ignore-unmatch", "--", path)
            self.git("checkout", "-q", rev, "--", path)
        return self.commit(None, message, author=author)

    def branch(self, name: str, at: str = "HEAD") -> None:
        """Creates a branch and goes there."""
        self.git("checkout", "-q", "-b", name, at)

    def checkout(self, name: str) -> None:
        """Goes to a branch."""
        self.git("checkout", "-q", name)

    def pull(self, *, author: str | None = None) -> str:
        """`git pull --no-rebase`: a merge commit where both sides moved."""
        args = ("pull", "-q", "--no-rebase", "--no-edit", "origin", self.branch_name)
        self.git(*args, author=author, date=self._tick(None))
        return self.head()

    def push(self, *, force: bool = False, refspec: str | None = None) -> str:
        """Pushes HEAD to the branch at `origin`; HEAD's id."""
        args = ["push", "-q"] + (["--force"] if force else [])
        self.git(*args, "origin", refspec or f"HEAD:refs/heads/{self.branch_name}")
        return self.head()

    def push_commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "Change",
        **who: str,
    ) -> str:
        """Commits and pushes; the commit's id."""
        self.commit(files, message, **who)  # type: ignore[arg-type] # author, committer
        return self.push()

    def _tick(self, date: datetime | None) -> datetime:
        self.clock = date or self.clock + timedelta(minutes=1)
        return self.clock


def _name(person: str) -> str:
    return person.partition("<")[0].strip()


def _email(person: str) -> str:
    return person.partition("<")[2].rstrip(">")


@contextlib.contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Moves a repository away for a while, as an outage would."""
    aside = path.with_name(path.name + ".away")
    shutil.move(path, aside)
    try:
        yield
    finally:
        shutil.move(aside, path)
