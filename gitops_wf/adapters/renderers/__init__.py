"""The Renderer role: kustomize, Helm and SOPS as limited children."""

from gitops_wf.adapters.renderers.tools import Tools

__all__ = ["Tools"]
