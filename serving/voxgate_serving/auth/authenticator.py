"""The chain of what proves who a caller is: the first that knows the credentials' form decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voxgate_serving.auth.credentials import parse_credentials, refused
from voxgate_serving.auth.principals import NOBODY, Principal
from voxgate_serving.auth.tokens import PREFIX


class Verifier(Protocol):
    """Proves one form of credentials. Thread-safe."""

    def principal(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: for one that proves nothing.
            Unavailable: when that cannot be told now; it is never taken for proven.
        """
        ...


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Says who asks.

    Attributes:
        tokens: for static tokens; None where none are configured.
        web_tokens: for JSON Web Tokens; likewise.
    """

    tokens: Verifier | None = None
    web_tokens: Verifier | None = None

    def principal(self, headers: Sequence[str]) -> Principal:
        """Whose call it is, by every value of `authorization` that came with it; NOBODY for none.

        Raises:
            Unauthenticated, Unavailable: who sends credentials that prove nothing is not served as nobody instead.
        """
        credentials = parse_credentials(headers)
        if credentials is None:
            return NOBODY
        token = credentials.token
        verifier = self.tokens if token.startswith(PREFIX) else self.web_tokens if token.count(".") == 2 else None
        if verifier is None:
            raise refused("UNKNOWN_TOKEN", "the token is of no kind that is taken here")
        return verifier.principal(token)
