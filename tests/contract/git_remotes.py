"""One repository reached in every way that the Git port supports."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gitops_wf.adapters.git_cli import GitCliRepository
from gitops_wf.core.secret import Secret
from gitops_wf.ports.git import BasicAuth, Credential, GitAuth, Remote, SshAuth
from tests.gitserver import GitHttpServer, GitSshServer, GitWorkTree, bare_repository

TRANSPORTS = ("path", "file", "http", "ssh")


@dataclass
class Served:
    """A bare repository, a work tree that pushes to it, and how a daemon reaches it."""

    directory: Path
    bare: Path
    work: GitWorkTree
    url: str
    auth: GitAuth | None = None
    http: GitHttpServer | None = None
    ssh: GitSshServer | None = None
    opened: int = 0

    def remote(self, branch: str = "main", **more) -> Remote:
        credential = Credential(auth=self.auth, prefix=self.url) if self.auth else None
        return Remote(
            **{"url": self.url, "branch": branch, "credential": credential} | more
        )

    def open(
        self, branch: str = "main", *, name: str = "clone", **more
    ) -> GitCliRepository:
        timeouts = {
            "ask_timeout": timedelta(seconds=20),
            "fetch_timeout": timedelta(seconds=40),
        }
        kept = {k: more.pop(k) for k in list(more) if k in timeouts}
        directory = self.directory / "daemon" / name
        return GitCliRepository(
            directory, self.remote(branch, **more), **(timeouts | kept)
        )


@contextmanager
def served(directory: Path, transport: str) -> Iterator[Served]:
    """An empty bare repository, served by `transport`."""
    root = directory / "srv"
    bare = bare_repository(root / "shop.git")
    work = GitWorkTree.init(directory / "work", remote=str(bare))
    with ExitStack() as stack:
        match transport:
            case "path":
                yield Served(directory, bare, work, str(bare))
            case "file":
                yield Served(directory, bare, work, bare.as_uri())
            case "http":
                http = stack.enter_context(GitHttpServer(root))
                http.credentials = ("basic", "deploy", "s3cret")
                auth = BasicAuth(username="deploy", password=Secret("s3cret"))
                yield Served(directory, bare, work, http.url(bare), auth, http=http)
            case "ssh":
                ssh = stack.enter_context(GitSshServer(directory / "ssh"))
                key = SshAuth(
                    private_key=Secret(ssh.private_key), known_hosts=ssh.known_hosts
                )
                yield Served(directory, bare, work, ssh.url(bare), key, ssh=ssh)
