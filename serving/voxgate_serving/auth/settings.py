"""`[auth]` of voxgate.toml: what proves who a caller is, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from voxgate.model.errors import ConfigInvalid
from voxgate.model.grants import ANYONE, Grant, Grants
from voxgate_serving.auth.authenticator import Authenticator
from voxgate_serving.auth.jwts import ALGORITHMS, Expected, WebTokens
from voxgate_serving.auth.keys import FetchedKeys, FileKeys
from voxgate_serving.auth.tokens import StaticTokens
from voxgate_serving.settings import nearest_key

_CLOSED = ConfigDict(extra="forbid", frozen=True)


class JwtSettings(BaseModel):
    """`[auth.jwt]`."""

    model_config = _CLOSED

    issuer: str = Field(min_length=1, description="the `iss` that tokens must have, exactly")
    audience: list[str] = Field(min_length=1, description="the `aud` that tokens must have; one of these")
    jwks: str = Field(min_length=1, description="key set: a file, or an https URL, of which no redirect is followed")
    jwks_ca: str = Field("", description="PEM file of the authorities that the URL is believed by; empty: the system's")
    algorithms: list[str] = Field(min_length=1, description=f"signatures that are taken, of {', '.join(ALGORITHMS)}")
    name_claim: str = Field("sub", min_length=1, description="the claim that names the caller")
    groups_claim: str = Field("groups", min_length=1, description="the claim that lists the caller's groups")
    leeway_s: float = Field(30.0, ge=0, le=300, description="how far clocks may be apart")

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, stated: list[str]) -> list[str]:
        for each in stated:
            if each not in ALGORITHMS:
                raise ValueError(f"{each!r} is none of {', '.join(ALGORITHMS)}")
        return stated

    @field_validator("jwks")
    @classmethod
    def _not_in_the_clear(cls, stated: str) -> str:
        if "://" in stated and not stated.startswith("https://"):
            raise ValueError("keys that come in the clear prove nothing: state an https URL, or a file")
        return stated


class GrantSettings(BaseModel):
    """One of `[[auth.grants]]`."""

    model_config = _CLOSED

    who: str = Field(description='`"user:NAME"`, `"group:NAME"`, `"authenticated"` or `"anyone"`')
    role: Literal["read", "write", "admin"] = Field(description="includes those before it")
    on: str = Field(description='`"REMOTE"`, `"REMOTE/PATH"` (and all below it) or `"*"`')

    @model_validator(mode="after")
    def _meaningful(self) -> GrantSettings:
        self.grant()
        return self

    def grant(self) -> Grant:
        """What it means.

        Raises:
            ValueError: for words that mean nothing.
        """
        return _parsed(self.who, self.role, self.on)


class AuthSettings(BaseModel):
    """`[auth]`."""

    model_config = _CLOSED

    tokens_file: str = Field("", description="file of static tokens, which `voxgate token` writes")
    public: list[str] = Field([], description='names that anyone may read, as in `["fib25", "lab/open"]`')
    audit_file: str = Field("", description="file that each change is noted in; empty: the log")
    grants: list[GrantSettings] = Field([], description="who may do what")
    jwt: JwtSettings | None = Field(None, description="tokens of an identity provider")

    @field_validator("public")
    @classmethod
    def _names(cls, stated: list[str]) -> list[str]:
        for each in stated:
            _parsed(ANYONE, "read", each)
        return stated

    @model_validator(mode="after")
    def _someone_can_prove(self) -> AuthSettings:
        if not self.tokens_file and self.jwt is None:
            raise ValueError("nothing proves who a caller is: state tokens_file or [auth.jwt], or leave [auth] out")
        return self

    def policy(self) -> Grants:
        """Who may do what."""
        public = [Grant.parse(ANYONE, "read", name) for name in self.public]
        return Grants((*public, *(each.grant() for each in self.grants)))

    def authenticator(self, base: Path) -> Authenticator:
        """What proves who a caller is; files are read when they are needed.

        Args:
            base: the folder that relative paths start from.
        """
        tokens = StaticTokens(base / self.tokens_file) if self.tokens_file else None
        if self.jwt is None:
            return Authenticator(tokens)
        stated = self.jwt
        expected = Expected(
            stated.issuer,
            stated.audience,
            stated.algorithms,
            leeway_s=stated.leeway_s,
            name_claim=stated.name_claim,
            groups_claim=stated.groups_claim,
        )
        ca = str(base / stated.jwks_ca) if stated.jwks_ca else ""
        keys = FetchedKeys(stated.jwks, ca) if "://" in stated.jwks else FileKeys(base / stated.jwks)
        return Authenticator(tokens, WebTokens(expected, keys))


def _parsed(who: str, role: str, on: str) -> Grant:
    try:
        return Grant.parse(who, role, on)
    except ConfigInvalid as error:
        raise ValueError(str(error)) from None


def parse_auth(table: object) -> AuthSettings:
    """The settings of the `[auth]` table.

    Raises:
        ConfigInvalid: naming the first bad key and what is wrong with it.
    """
    settings, problems = checked_auth(table)
    if settings is None:
        raise problems[0]
    return settings


def checked_auth(table: object) -> tuple[AuthSettings | None, list[ConfigInvalid]]:
    """Settings as `parse_auth` makes them, None where there can be none, and everything that is wrong.

    Each problem names its key in its message, and as the detail "key".
    """
    if not isinstance(table, Mapping):
        return None, [_problem("auth", '"auth" is no table', "write [auth]")]
    try:
        return AuthSettings.model_validate(dict(table)), []
    except ValidationError as error:
        failures: list[Any] = list(error.errors(include_url=False, include_input=False, include_context=False))
        return None, [_told(failure) for failure in failures]


_TABLES: Mapping[str, type[BaseModel]] = {"jwt": JwtSettings, "grants": GrantSettings}


def _told(failure: Mapping[str, Any]) -> ConfigInvalid:
    place = failure["loc"]
    key = ".".join(("auth", *map(str, place)))
    if failure["type"] == "extra_forbidden":
        table = AuthSettings if len(place) == 1 else _TABLES[str(place[0])]
        return _problem(key, f'unknown key "{key}"', nearest_key(str(place[-1]), list(table.model_fields)))
    message = str(failure["msg"]).removeprefix("Value error, ")
    return _problem(key, f'"{key}": {message}', "correct the value")


def _problem(key: str, message: str, remedy: str) -> ConfigInvalid:
    return ConfigInvalid(message, remedy, details={"key": key})
