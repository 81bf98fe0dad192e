"""How texts are compared that people look for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, get_args

from voxgate.model.errors import InvalidArgument

TextMatch = Literal["exact", "prefix", "regex"]
TEXT_MATCHES: tuple[str, ...] = get_args(TextMatch)


def text_test(wanted: str, match: str) -> Callable[[str], bool]:
    """Whether a text is one that is looked for; upper and lower case differ.

    Args:
        wanted: the text, its beginning, or a regular expression that occurs anywhere in it.
        match: of TEXT_MATCHES.

    Raises:
        InvalidArgument: for another match, or what is no regular expression.
    """
    if match == "exact":
        return lambda text: text == wanted
    if match == "prefix":
        return lambda text: text.startswith(wanted)
    if match != "regex":
        raise InvalidArgument(f"match={match!r} is unknown", f"one of {', '.join(TEXT_MATCHES)}")
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise InvalidArgument(f"{wanted!r} is no regular expression: {error}", "correct it, or match exactly") from None
    return lambda text: pattern.search(text) is not None
