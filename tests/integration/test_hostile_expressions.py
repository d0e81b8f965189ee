"""Expressions made to be slow are refused when read, and nothing else has to wait."""

import sys
import threading
import time
from datetime import timedelta
from typing import Self

from gitops_wf.core.policy import Rulebook

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
THOUSAND = "[" + ", ".join(map(str, range(1000))) + "]"


def nested(depth: int) -> str:
    """``all()`` in ``all()``: ten to the depth of evaluations."""
    inner = "true"
    for level in range(depth):
        inner = f"{TEN}.all(x{level}, {inner})"
    return inner


HOSTILE = {
    "nested": nested(7),
    "long": "true" + " && true" * 1000,
    "deep": "(" * 200 + "true" + ")" * 200,
    "unary": "!" * 1999 + "true",
    "product": f"{THOUSAND}.map(a, {THOUSAND}.map(b, a * b)).size() > 0",
    "doubling": "'x'" + " + ('x' + 'x')" * 120 + " == ''",
    "regex": "'" + "a" * 40 + "!'.matches('(a+)+$')",
}
BEAT = 0.02


class Heart:
    """A thread that beats, and how long its longest pause was."""

    def __init__(self) -> None:
        self.beats = 0
        self.longest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(BEAT):
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
            self.beats += 1


def test_hostile_expressions_are_refused_or_bounded_while_the_heart_beats(line):
    files = {
        f"envs/{name}/workflow.yaml": HEAD
        + f'  - name: out\n    type: deploy2env\n    if: "{text}"\n'
        for name, text in HOSTILE.items()
    }
    line.commit(
        {
            **files,
            "envs/good/workflow.yaml": HEAD + "  - {name: out, type: deploy2env}\n",
        }
    )
    began = time.monotonic()

    with Heart() as heart:
        line.settle()
        line.restart(rulebook=Rulebook())
        line.settle()
        line.wait(timedelta(minutes=1))

    took = time.monotonic() - began
    sys.stderr.write(
        f"longest gap {heart.longest:.3f} s, {heart.beats} beats in {took:.2f} s\n"
    )
    assert line.phases("good") == ["Succeeded"]
    for name in ("nested", "long", "deep", "unary", "product"):
        assert line.phases(name) == ["Failed/InvalidDefinition"], name
        (revision,) = line.revisions(name)
        assert f"envs/{name}/workflow.yaml:6" in revision.message
    for name in HOSTILE:
        assert line.revisions(name)[0].phase.is_final
    # A loaded machine beats late; one expression that holds the GIL stops the heart.
    assert heart.beats > took / BEAT / 10
    assert heart.longest < took / 2
