"""Letting time act: environments whose stored due time has come are moved on."""

from dataclasses import dataclass
from datetime import datetime

from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import Store
from gitops_wf.services.advance import Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Moves on what is due, one transaction per environment."""

    store: Store
    clock: Clock
    advance: Advance

    def act(self) -> datetime | None:
        """Move on everything that is due; return when the next thing is."""
        with self.store.read() as reader:
            environments = reader.due(self.clock.now())
        for environment in environments:
            with self.store.transaction() as transaction:
                if transaction.lock_environment(environment):
                    now = self.clock.now()
                    self.advance.environment(transaction, environment, now)
        with self.store.read() as reader:
            return reader.next_due()
