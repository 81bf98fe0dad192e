"""Static tokens: `vxg_ID_SECRET`. The file of them has a SHA-256 of each secret, and no secret.

A secret is 32 random bytes, so that nothing slower than SHA-256 is needed to keep it from being guessed. The file is
TOML: `[[tokens]]` with `id`, `name`, `groups`, `sha256`, `created` and, where it ends, `expires` (UTC, ISO 8601).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voxgate.model.errors import ConfigInvalid, NotFound
from voxgate_serving.auth.credentials import refused
from voxgate_serving.auth.principals import ANONYMOUS, Principal
from voxgate_serving.auth.rereading import Reread

PREFIX = "vxg_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_ID = re.compile(r"[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEYS = {"id", "name", "groups", "sha256", "created", "expires"}
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token as the file has it.

    Attributes:
        id: 12 hex digits, no secret.
        name: whose it is.
        groups: theirs.
        sha256: of the secret, hex.
        created: when.
        expires: from when on it proves nothing; None for never.
    """

    id: str
    name: str
    groups: tuple[str, ...]
    sha256: str = field(repr=False)
    created: datetime
    expires: datetime | None = None


def checked_name(name: str) -> str:
    """A name of a user or group.

    Raises:
        ConfigInvalid: for one that is none, and for that of who has no name.
    """
    if not _NAME.fullmatch(name) or name == ANONYMOUS.name:
        raise ConfigInvalid(f"{name!r} is no name", "use up to 128 letters, digits and . _ @ + -")
    return name


def made_token(name: str, groups: Sequence[str], expires: datetime | None, now: datetime) -> tuple[str, TokenRecord]:
    """A new token, and what is kept of it.

    Raises:
        ConfigInvalid: for a name that is none.
    """
    secret, identity = secrets.token_urlsafe(32), secrets.token_hex(6)
    named = tuple(checked_name(group) for group in groups)
    record = TokenRecord(identity, checked_name(name), named, _digest(secret), now, expires)
    return f"{PREFIX}{identity}_{secret}", record


class StaticTokens:
    """Proves tokens against a file, which is read again when it changes. Thread-safe."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = Reread(path, parse_tokens, "the file of tokens")
        self._now = now

    def principal(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: for one that is unknown, revoked or expired.
            Unavailable: when the file cannot be read.
        """
        identity, _, secret = token.removeprefix(PREFIX).partition("_")
        known = self._file.get().get(identity)
        is_same = hmac.compare_digest(_digest(secret), _NO_DIGEST if known is None else known.sha256)
        if known is None or not is_same:
            raise refused("UNKNOWN_TOKEN", "the token is unknown, or was revoked", "ask the operator for a new one")
        if known.expires is not None and self._now() >= known.expires:
            raise refused("TOKEN_EXPIRED", "the token has expired", "ask the operator for a new one")
        return Principal(known.name, frozenset(known.groups), "token")


def parse_tokens(content: bytes) -> dict[str, TokenRecord]:
    """The tokens of a file by their ids.

    Raises:
        ConfigInvalid: for a file that says something else; never repeats what it says.
    """
    try:
        document = tomllib.loads(content.decode())
        return {record.id: record for record in map(_record, document.pop("tokens", [])) if not document}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigInvalid("the file of tokens is damaged", "restore it, or make the tokens anew") from None


def create_token(path: Path, name: str, groups: Sequence[str] = (), expires: datetime | None = None) -> str:
    """Add a token to a file, which is made where there is none, and answer it: nobody can tell it again.

    Raises:
        ConfigInvalid: for a name that is none; for a file that cannot be read or written.
    """
    token, record = made_token(name, groups, expires, datetime.now(UTC))
    with _changed(path) as records:
        records[record.id] = record
    return token


def revoke_token(path: Path, identity: str) -> TokenRecord:
    """Take a token out of a file; servers that read it let nobody in by it any more.

    Raises:
        NotFound: when there is none of this id. ConfigInvalid: for a file that cannot be read or written.
    """
    with _changed(path) as records:
        if identity not in records:
            raise NotFound("there is no token of this id", '"voxgate token list" shows them')
        return records.pop(identity)


def listed_tokens(path: Path) -> list[TokenRecord]:
    """The tokens of a file, oldest first.

    Raises:
        ConfigInvalid: for a file that cannot be read.
    """
    try:
        return sorted(parse_tokens(path.read_bytes()).values(), key=lambda each: each.created)
    except OSError as error:
        raise ConfigInvalid(f"{path.name} cannot be read: {error.strerror}", "name the file of tokens") from None


@contextlib.contextmanager
def _changed(path: Path) -> Iterator[dict[str, TokenRecord]]:
    """The tokens of a file to be changed: it is replaced as a whole, by one writer at a time, readable by its owner."""
    try:
        folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            records = parse_tokens(path.read_bytes()) if path.exists() else {}
            yield records
            _replace(path, _document(records.values()))
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigInvalid(f"{path.name} cannot be written: {error.strerror}", "name another file") from None


def _replace(path: Path, text: str) -> None:
    # mkstemp makes the file with mode 0600 from its first moment.
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _document(records: Any) -> str:
    lines = ["# Tokens of voxgate: hashes, no secrets. Written by `voxgate token`."]
    for each in records:
        lines += ["", "[[tokens]]", f'id = "{each.id}"', f'name = "{each.name}"', f"groups = {json.dumps(each.groups)}"]
        lines += [f'sha256 = "{each.sha256}"', f"created = {each.created.isoformat()}"]
        lines += [] if each.expires is None else [f"expires = {each.expires.isoformat()}"]
    return "\n".join([*lines, ""])


def _record(table: dict[str, Any]) -> TokenRecord:
    """One token of a file.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: for what is none.
    """
    if not _ID.fullmatch(table["id"]) or not _DIGEST.fullmatch(table["sha256"]) or set(table) - _KEYS:
        raise ValueError
    moments = table["created"], table.get("expires")
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ValueError
    groups = tuple(checked_name(group) for group in table.get("groups", ()))
    return TokenRecord(table["id"], checked_name(table["name"]), groups, table["sha256"], *moments)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
