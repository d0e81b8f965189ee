"""How fast a receiver may be sent to: whoever sends takes a turn before.

A turn is a time. A receiver gives so many of them in any span of a length; a message
that comes too soon waits for its own. One that asked for a pause gives none before that
is over, and those that it had given hold no longer. All of it stands in the store, so a
restart forgets nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many messages in any span of this length."""

    messages: int
    span: timedelta


RATES: Mapping[str, Rate] = {
    # 20 in a minute, or the robot is muted for ten; one less, for clocks differ.
    "dingding": Rate(messages=19, span=timedelta(minutes=1)),
    # 5 in a second, 100 in a minute.
    "lark": Rate(messages=3, span=timedelta(seconds=2)),
    # 1 in a second; bursts are taken, but how long they may be is not said.
    "slack": Rate(messages=1, span=timedelta(seconds=1)),
}
"""What providers publish, by kind of channel. Others have only their own pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a message may be sent; it holds until the receiver's next pause."""

    at: datetime
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A receiver's last turns, oldest first, and its last pause; each begins a round.

    As many turns are kept as its rate looks back on.
    """

    turns: tuple[datetime, ...] = ()
    paused_until: datetime | None = None
    round: int = 0

    def taken(self, rate: Rate | None, now: datetime) -> tuple[Turn, "Pace"]:
        """Return the next turn, and the pace after it; at ``now`` where one is free."""
        at = now if self.paused_until is None else max(now, self.paused_until)
        if rate is None:
            return Turn(at=at, round=self.round), self
        if self.turns:
            at = max(at, self.turns[-1])  # in order: nobody overtakes who waits
        if len(self.turns) >= rate.messages:
            at = max(at, self.turns[-rate.messages] + rate.span)
        turns = (*self.turns, at)[-rate.messages :]
        return Turn(at=at, round=self.round), replace(self, turns=turns)

    def paused(self, until: datetime, now: datetime) -> "Pace":
        """Return it in a pause until then, or until a longer one that it is in."""
        before = self.paused_until
        return Pace(
            turns=tuple(turn for turn in self.turns if turn <= now),
            paused_until=until if before is None else max(until, before),
            round=self.round + 1,
        )

    def holds(self, turn: Turn | None) -> bool:
        """Whether a turn was taken since the last pause."""
        return turn is not None and turn.round == self.round


def receiver_of(kind: str, channel: Mapping[str, Any]) -> str:
    """Return what tells one receiver from another, from references and no values.

    Channels with the same URL, or the same reference to it, are one receiver.
    """
    where = channel.get("url") or channel.get("from") or channel
    if isinstance(where, str):
        where = {"value": where}
    text = json.dumps([kind, where], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
