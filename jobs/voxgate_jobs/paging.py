"""Tokens of pages: the ordinal of the last row of the page before."""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument

_LAST = 2**63 - 1


def ordinal_of(page_token: str) -> int:
    """The ordinal that a token stands for.

    Raises:
        InvalidArgument: when it is none of ours.
    """
    if page_token.isascii() and page_token.isdecimal() and len(page_token) <= len(str(_LAST)):
        return min(int(page_token), _LAST)
    raise InvalidArgument("the page token is none of this server's", "send next_page_token as it was answered")
