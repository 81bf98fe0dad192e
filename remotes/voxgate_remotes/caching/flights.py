"""The chunks that are being fetched: whoever wants one of them too waits for it instead of asking again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from voxgate.model.errors import VoxgateError
from voxgate.model.volumes import CallContext
from voxgate_remotes.caching.keys import Kept, Key

_POLL_S = 0.25


class Flight:
    """One caller's fetch of some chunks."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = tuple(keys)
        self.fetched: Mapping[Key, Kept] = {}
        self.error: VoxgateError | None = None
        self._landed = threading.Event()

    def land(self, fetched: Mapping[Key, Kept]) -> None:
        """Wake whoever waits, with what was fetched."""
        self.fetched = fetched
        self._landed.set()

    def crash(self, error: VoxgateError | None) -> None:
        """Wake whoever waits: nothing was fetched. None for what says nothing about the store."""
        self.error = error
        self._landed.set()

    def wait(self, context: CallContext) -> None:
        """Wait for its end.

        Raises:
            Cancelled, DeadlineExceeded: when the waiting caller's patience ends first.
        """
        while not self._landed.wait(_POLL_S):
            context.check()


@dataclass(slots=True)
class Boarding:
    """What becomes of keys that a caller did not find.

    Attributes:
        found: what came in meanwhile.
        own: the flight of those that the caller has to fetch; None where it has none to.
        others: the flights of the rest.
    """

    found: dict[Key, Kept] = field(default_factory=dict)
    own: Flight | None = None
    others: dict[Key, Flight] = field(default_factory=dict)


class Flights:
    """All flights by key. Not thread-safe: whoever has it holds a lock."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Flight] = {}

    def board(self, keys: Sequence[Key], look: Callable[[Key], Kept | None]) -> Boarding:
        """Sort keys: what `look` finds by now, what others fetch, and what is the caller's to fetch."""
        boarding = Boarding()
        own: list[Key] = []
        for key in keys:
            flight, kept = self._by_key.get(key), look(key)
            if kept is not None:
                boarding.found[key] = kept
            elif flight is not None:
                boarding.others[key] = flight
            else:
                own.append(key)
        if own:
            boarding.own = Flight(own)
            self._by_key.update(dict.fromkeys(own, boarding.own))
        return boarding

    def close(self, flight: Flight) -> list[Key]:
        """End a flight.

        Returns:
            Its keys, but those that were given up: what they brought may be old.
        """
        good = [key for key in flight.keys if self._by_key.get(key) is flight]
        for key in good:
            del self._by_key[key]
        return good

    def give_up(self, matches: Callable[[Key], bool]) -> None:
        """Let nobody join the flights of some keys any more, and nobody keep what they bring."""
        for key in [key for key in self._by_key if matches(key)]:
            del self._by_key[key]
