"""The kinds of parameters that several operations share."""

from __future__ import annotations

import re

from voxgate_gateway.rest.operations import Kind, Parameter

_ID = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_MOST_ID = 2**64 - 1
NAME = r"[a-z0-9-]+(/([A-Za-z0-9._~+-]|%[0-9A-Fa-f]{2})+)*"
"""Names of groups and volumes; other characters are percent-encoded in them."""


def integer(least: int, most: int) -> Kind:
    """A decimal integer between two, both included."""
    pattern = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)

    def parse(text: str) -> int:
        if not pattern.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"it is an integer from {least} to {most}")
        return int(text)

    return Kind({"type": "integer", "minimum": least, "maximum": most}, parse)


def choice(*options: str) -> Kind:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(f"it is one of {', '.join(options)}")
        return text

    return Kind({"type": "string", "enum": list(options)}, parse)


def words(pattern: str, meaning: str, most: int = 512) -> Kind:
    """Text that a regular expression matches wholly; `meaning` tells people what it is."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(text: str) -> str:
        if len(text) > most or not compiled.fullmatch(text):
            raise ValueError(f"it is {meaning}")
        return text

    return Kind({"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": most}, parse)


def _segment_id(text: str) -> int:
    if not _ID.fullmatch(text) or int(text) > _MOST_ID:
        raise ValueError("it is a segment id: a decimal number below 2^64, without leading zeros")
    return int(text)


SEGMENT_ID_TEXT = Kind({"type": "string", "pattern": f"^(?:{_ID.pattern})$"}, _segment_id)
"""A segment id in an address."""
PAGE_TOKEN = Parameter(
    "page_token",
    words(r"[^\x00-\x1f]*", "the next_page_token of the page before", 4096),
    "`next_page_token` of the page before.",
)
"""Which page of a listing."""
