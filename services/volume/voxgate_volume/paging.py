"""Pages of what was listed whole. Pure: knows no grpc."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import TypeVar

from voxgate.model.errors import InvalidArgument

T = TypeVar("T")

_MAX_TEXT_BYTES = 1 << 20
"""About how much text one page has at most: it has to fit into a message."""


def page_size(asked: int, otherwise: int, most: int) -> int:
    """How many entries a page has: what was asked for, `otherwise` for 0, at most `most`."""
    return min(asked or otherwise, most)


def sorted_page(entries: Sequence[T], name: Callable[[T], str], size: int, token: str) -> tuple[Sequence[T], str]:
    """One page of entries sorted by a name, and the token of the next page ("" on the last).

    The token is the last name of the page before: what comes and goes between two pages shifts nothing.
    """
    first = bisect.bisect_right(entries, token, key=name) if token else 0
    page = _fitting(entries[first : first + size], name)
    return page, name(page[-1]) if page and first + len(page) < len(entries) else ""


def listed_page(
    entries: Sequence[T], name: Callable[[T], str], size: int, token: str, *, text: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """One page of entries in an order of their own, and the token of the next page ("" on the last).

    Args:
        entries: all of them.
        name: of an entry; the token is the last one of the page before.
        size: the most entries to answer.
        token: "" for the first page.
        text: what an entry says, which counts for the size of the page.

    Raises:
        InvalidArgument: when the entry that the page before ended with is no more.
    """
    names = [name(entry) for entry in entries]
    if token and token not in names:
        raise InvalidArgument("the page token is of another list", "begin with the first page again")
    first = names.index(token) + 1 if token else 0
    page = _fitting(entries[first : first + size], text)
    end = first + len(page)
    return page, names[end - 1] if page and end < len(names) else ""


def _fitting(page: Sequence[T], text: Callable[[T], str]) -> Sequence[T]:
    """As many entries of a page, at least one, as fit into a message."""
    total = 0
    for count, entry in enumerate(page):
        total += len(text(entry).encode())
        if total > _MAX_TEXT_BYTES and count:
            return page[:count]
    return page
