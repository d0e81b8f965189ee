"""What there is once in a process, whoever asks."""

from gitops_wf.core.redaction import Redactor

REDACTOR = Redactor()
"""Masks what this process prints and logs. Logs are one for a process, too."""
