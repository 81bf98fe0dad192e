"""What a caller sends to prove who they are. Never logged, and shown by nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voxgate.model.access import not_proven
from voxgate.model.errors import Unauthenticated

_SCHEMES = ("bearer", "token")
_PUBLIC = "public"
"""What intern and BossDB's own clients send when they have no token."""
_MOST_CHARACTERS = 8192
_REMEDY = 'send one header "Authorization: Bearer TOKEN" (or "Token TOKEN"), with nothing else in it'


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token as it was sent."""

    token: str = field(repr=False)


def parse_credentials(headers: Sequence[str]) -> Credentials | None:
    """The credentials of a call; None for none.

    Args:
        headers: every value of `authorization` that came with the call.

    Raises:
        Unauthenticated: for what is neither "Bearer TOKEN" nor "Token TOKEN", and for more than one.
    """
    if not headers:
        return None
    scheme, _, token = headers[0].strip().partition(" ")
    token = token.strip()
    is_word = token.isascii() and token.isprintable() and " " not in token
    if len(headers) > 1 or scheme.lower() not in _SCHEMES or not token or not is_word:
        raise refused("MALFORMED_CREDENTIALS", "the credentials cannot be read", _REMEDY)
    if len(token) > _MOST_CHARACTERS:
        raise refused("MALFORMED_CREDENTIALS", f"the token has more than {_MOST_CHARACTERS} characters", _REMEDY)
    return None if scheme.lower() == "token" and token == _PUBLIC else Credentials(token)


def refused(cause: str, message: str, remedy: str = "") -> Unauthenticated:
    """Credentials that prove nothing; never says what they are.

    Args:
        cause: for programs, as in `details["cause"]`.
        message: what is wrong with them.
        remedy: what to do about it; the usual, where none is given.
    """
    return Unauthenticated(message, remedy or not_proven().remedy, details={"cause": cause})
