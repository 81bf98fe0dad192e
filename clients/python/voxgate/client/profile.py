"""The profile that `voxgate login` writes and `connect` reads: which server, and the token for it.

It is one JSON object, {"address": …, "token": …, "tls": {"ca_file": …}}, readable by its owner alone, in the user's
configuration folder: $XDG_CONFIG_HOME or ~/.config (https://specifications.freedesktop.org/basedir-spec/), %APPDATA% on
Windows.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from voxgate.client.tls import Tls, TlsChoice, tls_from_json, tls_of_environment, tls_to_json
from voxgate.model.errors import ConfigInvalid

_REMEDY = 'write it anew with "voxgate login ADDRESS"'


@dataclass(frozen=True, slots=True)
class Profile:
    """A server to talk to when nothing else says which.

    Attributes:
        address: "host:port".
        token: sent as a bearer token; empty for none. Never shown.
        tls: how TLS is spoken; None where it is not.
    """

    address: str
    token: str = field(default="", repr=False)
    tls: Tls | None = None


def profile_path() -> Path:
    """Where the profile is kept."""
    if sys.platform == "win32":
        home = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "voxgate" / "profile.json"


def load_profile() -> Profile | None:
    """The profile, or None where there is none.

    Raises:
        ConfigInvalid: when the file is not a profile.
    """
    try:
        text = profile_path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid("the voxgate profile cannot be read", _REMEDY) from error
    try:
        fields = json.loads(text)
    except ValueError:
        raise ConfigInvalid("the voxgate profile is not JSON", _REMEDY) from None
    if not isinstance(fields, dict) or not isinstance(fields.get("address"), str):
        raise ConfigInvalid("the voxgate profile names no address", _REMEDY)
    unknown = sorted(set(fields) - {"address", "token", "tls"})
    if unknown or not isinstance(fields.get("token", ""), str):
        raise ConfigInvalid(f"the voxgate profile has unknown or malformed keys: {unknown or ['token']}", _REMEDY)
    try:
        tls = tls_from_json(fields["tls"]) if "tls" in fields else None
    except ValueError:
        raise ConfigInvalid("the voxgate profile has a malformed key: tls", _REMEDY) from None
    return Profile(fields["address"], fields.get("token", ""), tls)


def stored_token(address: str) -> str:
    """The token for a server: VOXGATE_TOKEN, else the profile's if it was given for this very server; else empty.

    Raises:
        ConfigInvalid: when the file is not a profile.
    """
    told = os.environ.get("VOXGATE_TOKEN")
    if told:
        return told
    profile = load_profile()
    return profile.token if profile and profile.address == address else ""


def stored_tls(address: str) -> TlsChoice:
    """How to speak TLS with a server: as the environment says, else as the profile does of this very server; else not.

    Raises:
        ConfigInvalid: when the file is not a profile, or for a VOXGATE_TLS that means nothing.
    """
    told = tls_of_environment()
    if told is not None:
        return told
    profile = load_profile()
    return profile.tls or False if profile and profile.address == address else False


def save_profile(profile: Profile) -> Path:
    """Write the profile in place of the one before, readable by its owner alone; answers where it is.

    Raises:
        OSError: when the folder cannot be written.
    """
    path = profile_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600 from its first moment; the token is never readable by others.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".profile-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            fields = {"address": profile.address, "token": profile.token}
            json.dump(fields | ({} if profile.tls is None else {"tls": tls_to_json(profile.tls)}), file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    return path
