"""What there is once in a process, whoever asks."""

import gc

from gitops_wf.core.redaction import Redactor

REDACTOR = Redactor()
"""Masks what this process prints and logs. Logs are one for a process, too."""


COLLECT_AFTER = 10_000
"""New objects after which the young ones are collected: one list of a thousand objects
has forty thousand, and Python's own 700 had it look through them dozens of times."""


def begin_long_life() -> None:
    """Let garbage collections pass over what was loaded, and come less often.

    Hundreds of thousands of objects of libraries stay to the end; looking through them,
    and through lists that were just read, took half the CPU of an unchanged delivery.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
