"""What there is once in a process, whoever asks."""

import gc

from gitops_wf.core.redaction import Redactor

REDACTOR = Redactor()
"""Masks what this process prints and logs. Logs are one for a process, too."""


def begin_long_life() -> None:
    """Let garbage collections pass over what was loaded: it stays to the end.

    Hundreds of thousands of objects of libraries; looking through them took a third of
    the CPU of an unchanged delivery.
    """
    gc.collect()
    gc.freeze()
