"""The repository of the Git port: the clone, and all that asks the remote."""

import contextlib
import dataclasses
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_wf.adapters.git_cli.clone import HEAD_REF, OUR_REFS, Clone
from gitops_wf.adapters.git_cli.environment import (
    forget_private_files,
    local_environment,
    promised,
    remote_environment,
    secrets_of,
)
from gitops_wf.adapters.git_cli.failures import (
    is_damage,
    is_harmless_fault,
    remote_failure,
)
from gitops_wf.adapters.git_cli.process import Finished, Interrupt, run
from gitops_wf.adapters.git_cli.recovery import (
    BESIDE,
    refs_below,
    remove_stale_locks,
    replace,
    serve_from,
)
from gitops_wf.adapters.git_cli.remote_url import (
    check_credential,
    parse_url,
    redacted,
)
from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import (
    Credential,
    FetchResult,
    GitReason,
    GitRepository,
    Remote,
    RemoteHead,
)

ASK_TIMEOUT = timedelta(seconds=60)
FETCH_TIMEOUT = timedelta(minutes=15)
SMALL_BLOBS = "blob:limit=64k"
MANY_PACKS = 50
MANY_LOOSE_OBJECTS = 6700
MANY_LOOSE_REFS = 1000
"""What of a clone is packed: see `maintain`."""
_OLDEST_GIT = (2, 39)
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
_UNFILTERED = "gitops-wf-unfiltered"
Asked = Callable[[str, bool], None]
"""Is told of each request to the remote, ``ls-remote`` or ``fetch``; did it succeed?"""


class GitCliRepository(Clone, GitRepository):
    """A bare clone in `directory`, made when it is not there yet; see the port.

    `credential` is called before each request to the remote, so that one which was
    rotated in its file is sent without a new start; without it, the remote's is sent.
    """

    def __init__(
        self,
        directory: Path,
        remote: Remote,
        *,
        ask_timeout: timedelta = ASK_TIMEOUT,
        fetch_timeout: timedelta = FETCH_TIMEOUT,
        asked: Asked | None = None,
        credential: Callable[[], Credential | None] | None = None,
    ) -> None:
        self._remote = remote
        self._url = parse_url(remote.url, allow_http=remote.allow_http)
        check_credential(remote, self._url)
        self._ask_timeout = ask_timeout
        self._fetch_timeout = fetch_timeout
        self._asked = asked
        self._credential = credential
        self._network_lock = threading.RLock()
        self._disk_lock = threading.Lock()
        self._asking = Interrupt()
        self._packing = Interrupt()
        super().__init__(directory.absolute(), f"repository {redacted(remote.url)}")
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends child processes, and deletes what a thread that hangs has left."""
        super().close()
        forget_private_files(self._git_dir)

    @property
    def remote(self) -> Remote:
        """Where it fetches from."""
        return self._remote

    @property
    def git_dir(self) -> Path:
        """Where the clone is, for those who read it beside us."""
        return self._git_dir

    # --- asks the remote ---

    def remote_head(self) -> RemoteHead:
        """The branch's head by `ls-remote` of exactly that ref; fetches nothing."""
        if sha := self._listed(self._branch_ref).get(self._branch_ref):
            return RemoteHead(sha=sha)
        return RemoteHead(sha=None, is_empty=not self._listed("refs/heads/*"))

    def fetch(self) -> FetchResult:
        """Brings the branch here; its blobs too if the remote cannot filter."""
        with self._network_lock:
            old = self.head()
            is_renewed = self.is_damaged
            if is_renewed:
                self._renew()
            done = self._fetched()
            if _is_branch_missing(done):
                return FetchResult(old=old, new=None, is_renewed=is_renewed)
            if (done.code and is_damage(done.stderr)) or not self._is_readable():
                is_renewed = True
                self._renew()
                done = self._fetched()
            self._check(done)
            new = self.head()
            assert new is not None
            return FetchResult(old=old, new=new, is_renewed=is_renewed)

    def ensure_blobs(self, oids: Iterable[Oid]) -> int:
        """Fetches the blobs that are not here, in one request; how many those were."""
        wanted = self.missing(oids)
        if not wanted:
            return 0
        with self._network_lock:
            done = self._fetch_objects(wanted)
            if done.code and re.search(r"not our ref|unadvertised object", done.stderr):
                # A server that gives no single objects: take everything, once.
                self._stop_filtering()
                done = self._fetched("--refetch")
            self._check(done)
        if lost := self.missing(wanted):
            message = f"the remote no longer has {len(lost)} files, such as {lost[0]}"
            raise TransientError(f"{self._subject}: {message}")
        return len(wanted)

    def stop_asking(self) -> None:
        """Kills what asks the remote; asking again is a `TransientError`."""
        self._asking.set()

    def maintain(self) -> bool:
        """Packs the clone where fetches have left much; whether there was any.

        Fetches and reads go on meanwhile, as git means them to: what they bring is
        young, and gc deletes no pack that it did not find at its start. It holds off
        only another maintenance, and a clone made anew.
        """
        with self._disk_lock:
            if self.is_damaged or not _is_littered(self._git_dir):
                return False
            env = local_environment(self._git_dir, promised(self._blobs()))
            args = ["gc", "--quiet"]
            try:
                done = run(
                    self._git_dir,
                    args,
                    env,
                    timeout=self._fetch_timeout,
                    interrupt=self._packing,
                )
            except TransientError:
                if self._packing.is_set:
                    return False
                raise
        if done.code:
            message = f"{self._subject}: git gc failed: {cut(done.stderr)}"
            raise TransientError(message)
        return True

    def interrupt(self) -> None:
        """Ends a maintenance that goes on, and lets none begin; it loses nothing."""
        self._packing.set()

    # --- how the remote is asked ---

    @property
    def _branch_ref(self) -> str:
        return f"refs/heads/{self._remote.branch}"

    def _listed(self, pattern: str) -> dict[str, Sha]:
        args = ["ls-remote", "--refs", "--end-of-options", "origin", pattern]
        done = self._ask(args, self._ask_timeout)
        self._check(done)
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        pairs = (line.split("\t", 1) for line in lines)
        return {name: Sha(sha) for sha, name in pairs}

    def _fetched(self, *options: str) -> Finished:
        refspec = f"+{self._branch_ref}:{HEAD_REF}"
        args = [*_FETCH, *options, "--end-of-options", "origin", refspec]
        done = self._ask(args, self._fetch_timeout)
        if done.code and is_harmless_fault(done.stderr) and self._is_filtering():
            # Only without a filter does git 2.39 heed `fetch.fsck.<fault>`.
            self._stop_filtering()
            done = self._ask(args, self._fetch_timeout)
        if "client sha1; server sha256" in done.stderr and self.head() is None:
            self._objects.close()
            shutil.rmtree(self._git_dir)
            self._initialise("sha256")
            done = self._ask(args, self._fetch_timeout)
        return done

    def _blobs(self) -> str | None:
        """Which blobs a fetch brings along: none, for a monorepo has many.

        From a repository on this disk, the small ones of what is new since the last
        fetch: their bytes cost less than the second process that would ask for them.
        """
        if not self._is_filtering():
            return None
        is_next = self._url.scheme == "file" and self.head() is not None
        return SMALL_BLOBS if is_next else "blob:none"

    def _is_filtering(self) -> bool:
        return not (self._git_dir / _UNFILTERED).exists()

    def _stop_filtering(self) -> None:
        (self._git_dir / _UNFILTERED).touch()

    def _fetch_objects(self, oids: Sequence[str]) -> Finished:
        """Objects by id, without telling what we have: as git's own lazy fetch does."""
        args = ["-c", "fetch.negotiationAlgorithm=noop", *_FETCH, "--stdin", "origin"]
        stdin = "".join(f"{oid}\n" for oid in oids).encode()
        return self._ask(args, self._fetch_timeout, stdin)

    def _ask(
        self, args: Sequence[str], timeout: timedelta, stdin: bytes = b""
    ) -> Finished:
        self._renew_credential()
        with remote_environment(
            self._git_dir, self._remote, self._url, blobs=self._blobs()
        ) as env:
            code = None
            try:
                done = run(
                    self._git_dir,
                    args,
                    env,
                    stdin=stdin,
                    timeout=timeout,
                    interrupt=self._asking,
                )
                code = done.code
            except TransientError as exc:
                raise TransientError(f"{self._subject}: {exc.message}") from exc
            finally:
                self._tell(args, succeeded=code == 0)
            return done

    def _renew_credential(self) -> None:
        if self._credential is None:
            return
        credential = self._credential()
        if credential != self._remote.credential:
            remote = dataclasses.replace(self._remote, credential=credential)
            check_credential(remote, self._url)
            self._remote = remote

    def _tell(self, args: Sequence[str], *, succeeded: bool) -> None:
        for request in ("ls-remote", "fetch"):
            if self._asked is not None and request in args:
                self._asked(request, succeeded)
                return

    def _check(self, done: Finished) -> None:
        if done.code:
            secrets = secrets_of(self._remote)
            raise remote_failure(self._subject, done.stderr, secrets)

    # --- the clone ---

    def _open(self) -> None:
        self._git_dir.parent.mkdir(parents=True, exist_ok=True)
        if not (self._git_dir / "HEAD").exists():
            self._is_distrusted = self._has_content()
            if not self._is_distrusted:
                self._initialise()
        remove_stale_locks(self._git_dir)
        forget_private_files(self._git_dir)
        self._check_git()
        if self._remote.branch.startswith("-") or not self._is_ref(self._branch_ref):
            message = f"{cut(repr(self._remote.branch))} is no valid branch name"
            raise TerminalError(
                f"{self._subject}: {message}", reason=GitReason.URL_REFUSED
            )

    def _has_content(self) -> bool:
        return self._git_dir.is_dir() and any(self._git_dir.iterdir())

    def _initialise(self, object_format: str = "sha1") -> None:
        self._git_dir.mkdir(mode=0o700, exist_ok=True)
        options = ("--bare", "--template=", f"--object-format={object_format}")
        self._git("init", "--quiet", *options)

    def _check_git(self) -> None:
        text = self._git("version").stdout.decode("ascii", "replace")
        found = re.search(r"(\d+)\.(\d+)", text)
        if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
            message = f"{cut(text)} is too old; install git 2.39 or later"
            raise TerminalError(message, reason=GitReason.GIT_UNUSABLE)

    def _is_readable(self) -> bool:
        """Whether the head's commit and upper tree can be read."""
        try:
            head = self.head()
            return head is None or self.tree_oid(head, "nothing") is None
        except (KeyError, TransientError):
            return False

    def _renew(self) -> None:
        """Clones anew beside the damaged clone, which is moved aside when that is done.

        Held commits come from the remote, or else from the old clone; what neither can
        give any more is lost.
        """
        beside = self._git_dir.with_name(self._git_dir.name + BESIDE)
        shutil.rmtree(beside, ignore_errors=True)
        known = refs_below(self._git_dir, OUR_REFS)
        with type(self)(
            beside,
            self._remote,
            ask_timeout=self._ask_timeout,
            fetch_timeout=self._fetch_timeout,
            asked=self._asked,
            credential=self._credential,
        ) as fresh:
            fresh._asking = self._asking  # noqa: SLF001 # of our own class
            done = fresh._fetched()  # noqa: SLF001 # of our own class
            if not _is_branch_missing(done):
                self._check(done)
            fresh._regain(known, self._git_dir)  # noqa: SLF001
        with self._disk_lock:
            self._objects.close()
            replace(self._git_dir, beside)
        self._is_distrusted = False

    def _regain(self, refs: Mapping[str, Sha], damaged: Path) -> None:
        lost = [sha for sha in dict.fromkeys(refs.values()) if not self.has_commit(sha)]
        if lost and self._fetch_objects(lost).code:
            serve_from(damaged)
            for sha in lost:
                self._fetch_locally(damaged, sha)
        kept = {name: sha for name, sha in refs.items() if self.has_commit(sha)}
        if HEAD_REF in kept and self.head() is not None:
            del kept[HEAD_REF]  # the fetch has just set it
        self._update_refs(f"update {name}\0{sha}\0\0" for name, sha in kept.items())

    def _fetch_locally(self, damaged: Path, sha: Sha) -> None:
        args = [*_FETCH, "--filter=blob:none", "--end-of-options", str(damaged), sha]
        env = self._environment | {"GIT_ALLOW_PROTOCOL": "file"}
        # One that cannot be regained does not stop the others.
        with contextlib.suppress(GitOpsError):
            run(self._git_dir, args, env, timeout=self._fetch_timeout)


def _is_littered(git_dir: Path) -> bool:
    """Whether there is so much in pieces that packing it is worth the work.

    As `git gc --auto` judges (gc.autoPackLimit, gc.auto), and by loose refs, too.
    """
    objects = git_dir / "objects"
    if sum(1 for _ in objects.glob("pack/*.pack")) > MANY_PACKS:
        return True
    if sum(1 for _ in objects.glob("17/*")) > MANY_LOOSE_OBJECTS // 256:
        return True
    refs = (path for path in (git_dir / OUR_REFS).rglob("*") if path.is_file())
    return sum(1 for _ in refs) > MANY_LOOSE_REFS


def _is_branch_missing(done: Finished) -> bool:
    return "couldn't find remote ref" in done.stderr
