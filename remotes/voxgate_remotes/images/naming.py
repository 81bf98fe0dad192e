"""Which files of a folder are the slices of a stack, and in which order: img2 before img10."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.model.errors import ChunkMissing, StoreUnavailable, UnsupportedFormat
from voxgate_remotes.metadata import is_file

TIFF, PNG, JPEG = "TIFF", "PNG", "JPEG"
ENDINGS = {".tif": TIFF, ".tiff": TIFF, ".btf": TIFF, ".png": PNG, ".jpg": JPEG, ".jpeg": JPEG}

# What makes a folder a volume of another format, or a file one: such a folder is no stack.
_VOLUME_MARKERS = ("info", "zarr.json", ".zarray", ".zgroup", ".zattrs", "attributes.json")
_VOLUME_FILES = (".h5", ".hdf", ".hdf5", ".nwb", ".zarr", ".n5")
_NUMBER = re.compile(r"([0-9]+)")
_GIVE_UP = 4096
"""Entries without a picture among them after which a folder is no stack: chunks of flat stores are many."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A file's name cut at its numbers: "s1_z007.tif" is ("s", "_z", "") with ("1", "007")."""

    whole: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]


def kind_of(name: str) -> str | None:
    """The picture format that a file's ending says; None for other files."""
    return ENDINGS.get(os.path.splitext(name)[1].lower())


def picture_names(folder: Path) -> list[str]:
    """The pictures right in a folder, hidden files left out; empty when another volume lies in it, too.

    Raises:
        StoreUnavailable: when the folder cannot be read.
    """
    # Asked of names, too, that no folder can have.
    if not os.path.isdir(folder) or any(is_file(folder / marker) for marker in _VOLUME_MARKERS):
        return []
    pictures: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if entry.name.startswith("."):
                    continue
                if _is_other_volume(entry) or (seen > _GIVE_UP and not pictures):
                    return []
                if kind_of(entry.name) and not entry.is_dir():
                    pictures.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreUnavailable(f"the store's folder cannot be read: {error.strerror}", "look at its host") from None
    return pictures


def _is_other_volume(entry: os.DirEntry[str]) -> bool:
    if entry.name.lower().endswith(_VOLUME_FILES):
        return True
    return entry.is_dir() and any(is_file(Path(entry.path) / marker) for marker in _VOLUME_MARKERS)


def first_slice(names: Sequence[str]) -> str | None:
    """The first of some pictures that are named alike but for a number; None where no two are: then it is no stack."""
    groups = _groups(names)
    numbered = [group for texts, group in groups.items() if len(texts) > 1 and len(group) > 1]
    return min((_sorted(group)[0].whole for group in numbered), default=None)


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """The slices of a stack, by their number.

    Raises:
        UnsupportedFormat: for two picture formats, two ways of naming, two numbers that vary, a number twice.
        ChunkMissing: for a gap in the numbers; names the file.
    """
    kinds = sorted({kind_of(name) or "" for name in names})
    if len(kinds) > 1:
        raise UnsupportedFormat(
            f"the folder has {' and '.join(kinds)} pictures: it is no one stack", "keep one format in the folder"
        )
    groups = _groups(names)
    if len(groups) > 1:
        one, other = sorted(_sorted(group)[0].whole for group in groups.values())[:2]
        raise UnsupportedFormat(
            f"the pictures are named in several ways, `{one}` and `{other}`: it is no one stack",
            "keep one series of slices in the folder",
        )
    (group,) = groups.values()
    column = _slice_column(group)
    ordered = sorted(group, key=lambda name: int(name.numbers[column]))
    _check_consecutive(ordered, column)
    return tuple(name.whole for name in ordered)


def _groups(names: Sequence[str]) -> dict[tuple[str, ...], list[_Name]]:
    groups: dict[tuple[str, ...], list[_Name]] = defaultdict(list)
    for whole in names:
        parts = _NUMBER.split(os.path.splitext(whole)[0])
        name = _Name(whole, tuple(parts[::2]), tuple(parts[1::2]))
        groups[name.texts].append(name)
    return groups


def _sorted(group: list[_Name]) -> list[_Name]:
    return sorted(group, key=lambda name: (tuple(map(int, name.numbers)), name.whole))


def _slice_column(group: list[_Name]) -> int:
    """Which of the numbers in the names is the slice's: the one that varies."""
    columns = range(len(group[0].numbers))
    varying = [column for column in columns if len({int(name.numbers[column]) for name in group}) > 1]
    if len(varying) > 1:
        one, other = _sorted(group)[0].whole, _sorted(group)[-1].whole
        raise UnsupportedFormat(
            f"{len(varying)} numbers vary in the names, from `{one}` to `{other}`: which is the slice is not said",
            "keep one series in a folder, or rename the files",
        )
    if not varying:
        raise _twice(*group[:2])
    return varying[0]


def _check_consecutive(ordered: list[_Name], column: int) -> None:
    for before, after in itertools.pairwise(ordered):
        low, high = int(before.numbers[column]), int(after.numbers[column])
        if low == high:
            raise _twice(before, after)
        if high > low + 1:
            gone = high - low - 1
            more = f" and {gone - 1} more after it" if gone > 1 else ""
            raise ChunkMissing(
                f"the slice `{_renumbered(before, column, low + 1)}`{more} is missing",
                "restore it from its source; if it was left out on purpose, number the slices without a gap",
            )


def _renumbered(name: _Name, column: int, number: int) -> str:
    """What a neighbour of a slice is called."""
    text = name.numbers[column]
    numbers = list(name.numbers)
    numbers[column] = str(number).zfill(len(text)) if text.startswith("0") else str(number)
    stem = "".join(text + number for text, number in zip(name.texts, (*numbers, ""), strict=True))
    return stem + os.path.splitext(name.whole)[1]


def _twice(one: _Name, other: _Name) -> UnsupportedFormat:
    return UnsupportedFormat(f"`{one.whole}` and `{other.whole}` have the same number", "keep one of them")
