"""The sandbox's record of what it was asked."""

import json
from datetime import UTC, datetime
from pathlib import Path

from gitops_wf.sandbox.http.requestlog import RequestLog

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def ask(log: RequestLog, path: str) -> None:
    log.write(
        at=NOW, method="GET", path=path, user_agent="t", user="u", code=200, revision=""
    )


def paths(file: Path) -> list[str]:
    return [json.loads(line)["path"] for line in file.read_text().splitlines()]


def test_it_is_bounded_and_ends_with_what_was_asked_last(tmp_path):
    file = tmp_path / "requests.log"
    log = RequestLog(file, most_bytes=1000)
    for number in range(100):
        ask(log, f"/{number}")
    log.close()

    before = tmp_path / "requests.log.1"
    assert sorted(tmp_path.iterdir()) == [file, before]
    assert max(file.stat().st_size, before.stat().st_size) < 1200
    together = paths(before) + paths(file)
    assert together == [f"/{n}" for n in range(100 - len(together), 100)]


def test_it_goes_on_where_an_earlier_process_ended(tmp_path):
    file = tmp_path / "requests.log"
    for number in range(20):
        log = RequestLog(file, most_bytes=1000)
        ask(log, f"/{number}")
        log.close()

    assert file.stat().st_size < 1200
    assert (tmp_path / "requests.log.1").exists()
