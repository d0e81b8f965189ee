"""A machine's clock that a test sets while a process runs, by libfaketime."""

from dataclasses import dataclass
from pathlib import Path

from tests.servers import missing


@dataclass
class FakedClock:
    """The clock of a process whose environment is `env`; the monotonic one stays."""

    file: Path

    @property
    def env(self) -> dict[str, str]:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            missing("libfaketime", "apt-get install libfaketime")
        return {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, by: str) -> None:
        """Let it differ from the real one by so much, such as `+3h` or `-2h`."""
        new = self.file.with_suffix(".new")
        new.write_text(by)
        new.replace(self.file)  # never read half
