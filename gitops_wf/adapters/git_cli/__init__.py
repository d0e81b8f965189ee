"""Git by the git program: the repository, the verifier and the writer of the ports."""

from gitops_wf.adapters.git_cli.repository import GitCliRepository
from gitops_wf.adapters.git_cli.signature import GitSignatureVerifier

__all__ = ["GitCliRepository", "GitSignatureVerifier"]
