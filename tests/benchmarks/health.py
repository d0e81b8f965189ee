"""How long judging objects takes: python -m tests.benchmarks.health [OBJECTS].

Judges the samples of the shipped rules over and over, first with each rule's
expressions to be read, then with them read. Prints figures, asserts nothing.
"""

import sys
import time

from gitops_wf.bootstrap.health import health_rules
from gitops_wf.core.health import health_of
from tests.health_samples import FOLDER, samples

OBJECTS = 10_000


def main(count: int) -> None:
    """Print the time of loading, of the first look at each sample, and of many."""
    start = time.perf_counter()
    rules = health_rules()
    loaded = time.perf_counter()
    found = [
        s.manifest for path in sorted(FOLDER.rglob("*.yaml")) for s in samples(path)
    ]
    first = time.perf_counter()
    for manifest in found:
        health_of(manifest, rules)
    read = time.perf_counter()
    for number in range(count):
        health_of(found[number % len(found)], rules)
    done = time.perf_counter()
    sys.stdout.write(f"rules loaded: {1000 * (loaded - start):.0f} ms\n")
    sys.stdout.write(f"first look at {len(found)} samples: {read - first:.2f} s\n")
    sys.stdout.write(
        f"{count} objects: {done - read:.2f} s,"
        f" {1e6 * (done - read) / count:.0f} µs an object\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else OBJECTS)
