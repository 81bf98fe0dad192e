"""Settings of an instance come as strings, whatever they are."""

from __future__ import annotations

from .blocks import Point
from .wire import Refused


def strings(given: dict[str, object]) -> dict[str, str]:
    for key, value in given.items():
        if not isinstance(value, str):
            raise Refused(f"Setting for '{key}' was not a string: {value}")
    return {key: str(value) for key, value in given.items()}


def ints(text: str) -> Point:
    x, y, z = (int(piece) for piece in _three(text))
    return x, y, z


def numbers(text: str) -> tuple[float, float, float]:
    x, y, z = (float(piece) for piece in _three(text))
    return x, y, z


def flag(text: str) -> bool:
    return text.lower() in ("true", "on", "1")


def texts(text: str | None) -> dict[str, str] | None:
    """Tags: "a=b,c=d"."""
    return None if text is None else dict(piece.split("=", 1) for piece in text.split(",") if "=" in piece)


def _three(text: str) -> list[str]:
    pieces = text.split(",")
    if len(pieces) != 3:
        raise Refused(f"cannot use {text!r}: three numbers are needed")
    return pieces
