"""Git by the git program: the repository, the verifier and the writer of the ports."""

from gitops_wf.adapters.git_cli.daemon_writer import PushingRepository
from gitops_wf.adapters.git_cli.preview import Conflicted, Preview
from gitops_wf.adapters.git_cli.repository import GitCliRepository
from gitops_wf.adapters.git_cli.signature import GitSignatureVerifier
from gitops_wf.adapters.git_cli.work_tree import (
    WorkTree,
    current_branch,
    find_work_tree,
    repository_at,
)
from gitops_wf.adapters.git_cli.writer import GitCliWriter

__all__ = [
    "Conflicted",
    "GitCliRepository",
    "GitCliWriter",
    "GitSignatureVerifier",
    "Preview",
    "PushingRepository",
    "WorkTree",
    "current_branch",
    "find_work_tree",
    "repository_at",
]
