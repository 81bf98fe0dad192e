"""Readers that go on while a volume is deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable

from voxgate.model.errors import UnknownVolume


def read_during(delete: Callable[[], object], opened: Callable[[], Callable[[], int]], count: int) -> list[int | None]:
    """What readers saw until a volume was gone, and once after: the least voxel of each read, None for UnknownVolume.

    Args:
        delete: deletes the volume; called once every reader has it open.
        opened: opens the volume for one reader and answers what reads it.
        count: readers.
    """
    begun, gone, outcomes = threading.Barrier(count + 1), threading.Event(), []

    def read() -> None:
        least = opened()
        begun.wait(60)
        last = False
        while not last:
            last = gone.is_set()  # one read begins after the deletion has ended
            try:
                outcomes.append(least())
            except UnknownVolume:
                outcomes.append(None)

    readers = [threading.Thread(target=read) for _ in range(count)]
    for reader in readers:
        reader.start()
    begun.wait(60)
    delete()
    gone.set()
    for reader in readers:
        reader.join(120)
    return outcomes
