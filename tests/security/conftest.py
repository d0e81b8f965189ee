"""The command line as a fixture."""

from tests.commandline import gitops_wf

__all__ = ["gitops_wf"]
