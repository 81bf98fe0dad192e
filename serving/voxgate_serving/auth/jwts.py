"""JSON Web Tokens of an identity provider (RFC 7519, OpenID Connect), verified by PyJWT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from voxgate.model.errors import ConfigInvalid
from voxgate_serving.auth.credentials import refused
from voxgate_serving.auth.keys import KeySource, chosen_key
from voxgate_serving.auth.principals import Principal
from voxgate_serving.auth.tokens import checked_name

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that this server does not have: never a shared secret, and never none."""
_REQUIRED = ("exp", "aud", "iss", "sub")
_CAUSES: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (jwt.ExpiredSignatureError, "TOKEN_EXPIRED", "the token has expired"),
    (jwt.ImmatureSignatureError, "TOKEN_NOT_YET_VALID", "the token is not valid yet"),
    (jwt.InvalidAudienceError, "WRONG_AUDIENCE", "the token is for somebody else"),
    (jwt.InvalidIssuerError, "WRONG_ISSUER", "the token was made by somebody else"),
    (jwt.MissingRequiredClaimError, "INCOMPLETE_TOKEN", "the token lacks one of exp, aud, iss and sub"),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say.

    Attributes:
        issuer: who made it.
        audience: whom it is for; one of these.
        algorithms: how it may be signed, of ALGORITHMS.
        leeway_s: how far clocks may be apart.
        name_claim: which claim is the caller's name.
        groups_claim: which has their groups.
    """

    issuer: str
    audience: Sequence[str]
    algorithms: Sequence[str]
    leeway_s: float = 30.0
    name_claim: str = "sub"
    groups_claim: str = "groups"


class WebTokens:
    """Proves tokens by the keys of their issuer. Thread-safe."""

    def __init__(self, expected: Expected, keys: KeySource) -> None:
        self._expected = expected
        self._keys = keys

    def principal(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: for one that is expired, for others, by others, or not signed by a known key.
            Unavailable: when the keys cannot be had.
        """
        claims = self._claims(token)
        groups = claims.get(self._expected.groups_claim, ())
        stated = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return Principal(self._name(claims), frozenset(each for each in stated if isinstance(each, str)), "jwt")

    def _claims(self, token: str) -> Mapping[str, Any]:
        expected = self._expected
        try:
            header = jwt.get_unverified_header(token)
            algorithm: Any = header.get("alg")
            identity: Any = header.get("kid", "")
            is_usable = isinstance(algorithm, str) and isinstance(identity, str)
            if not is_usable or algorithm not in expected.algorithms:
                raise refused("INVALID_TOKEN", "the token is not signed as it has to be", "log in again")
            key = chosen_key(self._keys, identity, algorithm)
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=list(expected.audience),
                issuer=expected.issuer,
                leeway=expected.leeway_s,
                options={"require": list(_REQUIRED)},
            )
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as error:
            for kind, cause, message in _CAUSES:
                if isinstance(error, kind):
                    raise refused(cause, message, "log in again") from None
            raise refused("INVALID_TOKEN", "the token cannot be believed", "log in again") from None

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._expected.name_claim)
        try:
            return checked_name(name if isinstance(name, str) else "")
        except ConfigInvalid:
            raise refused("NO_NAME", "the token does not say who it is for", "tell the operator") from None
