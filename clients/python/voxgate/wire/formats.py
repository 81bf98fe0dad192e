"""File formats by the contract's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from voxgate.model.errors import InvalidArgument

N = TypeVar("N", bound=int)


def format_name(number: N, names: Mapping[N, str]) -> str:
    """A format's name.

    Args:
        number: of the contract.
        names: of all formats that this side knows, by number.

    Raises:
        InvalidArgument: for an unset or unknown format.
    """
    if number not in names:
        raise InvalidArgument(
            "the format is unset or unknown",
            f"ask for one of {', '.join(names.values())}",
            details={"field": "format"},
        )
    return names[number]
