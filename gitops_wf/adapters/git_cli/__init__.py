"""Git by the git program: the repository, the verifier and the writer of the ports."""

from gitops_wf.adapters.git_cli.repository import GitCliRepository

__all__ = ["GitCliRepository"]
