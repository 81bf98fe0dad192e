"""The token that proves to a store who asks."""

from __future__ import annotations

import os
from pathlib import Path

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.config import CredentialsConfig

_MOST_CHARACTERS = 8 << 10  # about what servers take of a header


def token_of(credentials: CredentialsConfig) -> str:
    """The token, empty where none is configured. Read anew each time: mounted secrets are replaced.

    Raises:
        ConfigInvalid: when the variable is unset, the file cannot be read, or neither holds something that can be a
            token. Names the variable, or the file without its folder.
    """
    if credentials.token is not None:
        return _checked(credentials.token.get_secret_value(), "credentials.token")
    if credentials.token_env:
        value = os.environ.get(credentials.token_env)
        if value is None:
            raise ConfigInvalid(
                f"the environment variable {credentials.token_env} is not set", "set it, or correct token_env"
            )
        return _checked(value, f"the environment variable {credentials.token_env}")
    if credentials.token_file:
        return _checked(_content(Path(credentials.token_file)), f"the file {Path(credentials.token_file).name}")
    return ""


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(2 * _MOST_CHARACTERS).decode("latin-1")
    except OSError as error:
        raise ConfigInvalid(
            f"the token file {path.name} cannot be read: {error.strerror}", "correct token_file, or its permissions"
        ) from None


def _checked(text: str, where: str) -> str:
    """The token without white space around it; a line break or a foreign character would break the header it is for."""
    token = text.strip()
    is_word = token.isascii() and token.isprintable() and " " not in token
    if not token or not is_word or len(token) > _MOST_CHARACTERS:
        raise ConfigInvalid(f"{where} holds no token", "put the token there, one word and nothing else")
    return token
