"""What an operator may state for a BossDB remote, beside what every remote has."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.config import CredentialsConfig, RemoteConfig, nearest

ACCESS_MODES = ("no-cache", "cache", "raw")
_TYPES: dict[str, type[bool] | type[str] | tuple[type, ...]] = {
    "verify_writes": bool,
    "access_mode": str,
    "believed_s": (int, float),
}


@dataclass(frozen=True, slots=True)
class BossOptions:
    """The options of a BossDB remote.

    Attributes:
        verify_writes: read back what was written and compare.
        access_mode: "no-cache": the store reads past its cache; "cache": through it; "raw": it does not look, either,
            whether writes are still on their way.
        believed_s: seconds for which the description of a channel is believed.
    """

    verify_writes: bool = True
    access_mode: str = "no-cache"
    believed_s: float = 5.0

    @staticmethod
    def of(config: RemoteConfig) -> BossOptions:
        """The options of a configuration.

        Raises:
            ConfigInvalid: for an unknown option, or a bad value.
        """
        if config.format:
            raise ConfigInvalid(f"a BossDB remote has no format {config.format!r}", "remove it")
        given = config.options
        for key, value in given.items():
            if key not in _TYPES:
                raise ConfigInvalid(f"a BossDB remote has no option {key!r}", nearest(key, _TYPES))
            if not isinstance(value, _TYPES[key]) or (key == "believed_s" and isinstance(value, bool)):
                raise ConfigInvalid(f"the option {key!r} cannot be {value!r}", "see how to connect a BossDB")
        mode = str(given.get("access_mode", "no-cache"))
        if mode not in ACCESS_MODES:
            raise ConfigInvalid(f"the option 'access_mode' cannot be {mode!r}", nearest(mode, ACCESS_MODES))
        seconds = float(given.get("believed_s", 5.0))
        if not 0 <= seconds <= 3600:
            raise ConfigInvalid(f"the option 'believed_s' cannot be {seconds}", "give 0 to 3600 seconds")
        return BossOptions(bool(given.get("verify_writes", True)), mode, seconds)


def credentials_of(config: RemoteConfig) -> CredentialsConfig:
    """The configured credentials, or else the token "public".

    That is no secret: it is the shared account of BossDB that may read what is public, and what the intern client
    sends, too, when it is given no token.
    """
    stated = config.credentials
    if stated.token or stated.token_env or stated.token_file:
        return stated
    return CredentialsConfig(token=SecretStr("public"))
