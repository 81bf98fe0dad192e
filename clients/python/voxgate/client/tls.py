"""TLS of a client: whom it believes, and what it proves itself with. Files are read when a connection is made."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from voxgate.model.errors import ConfigInvalid

_VARIABLES = {"ca_file": "VOXGATE_CA_FILE", "cert_file": "VOXGATE_CERT_FILE", "key_file": "VOXGATE_KEY_FILE"}
_SWITCH = "VOXGATE_TLS"
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a client speaks TLS. It may be pickled: it holds names of files, which are read where it is used.

    Attributes:
        ca_file: PEM file of the authorities whose servers are believed; empty means gRPC's own list.
        cert_file: PEM file of the certificate that a server may ask for, those that signed it behind it.
        key_file: PEM file of that certificate's key, without a password.
        server_name: the name that the server's certificate must have, where it is not the one that is connected to.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""


TlsChoice = bool | str | Tls
"""False for none, True for the authorities that gRPC believes, a file of authorities in PEM, or everything."""


@dataclass(frozen=True, slots=True)
class TlsPems:
    """What the files of a `Tls` hold; None where none is named."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None


def as_tls(choice: TlsChoice) -> Tls | None:
    """How TLS is spoken; None where it is not."""
    if isinstance(choice, Tls):
        return choice
    if isinstance(choice, str):
        return Tls(ca_file=choice) if choice else None
    return Tls() if choice else None


def tls_pems(tls: Tls) -> TlsPems:
    """Read the files, and check that they can be used.

    Raises:
        ConfigInvalid: for one that cannot be read or is not what it should be.
    """
    if bool(tls.cert_file) != bool(tls.key_file):
        raise ConfigInvalid("a client's certificate and its key go together", "name both cert_file and key_file")
    found = TlsPems(_read(tls.ca_file), _read(tls.cert_file), _read(tls.key_file))
    tls_context(tls)
    return found


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The same for Python's own sockets, for HTTP/2.

    Raises:
        ConfigInvalid: for files that cannot be used.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    if tls.ca_file:
        context = _believing(tls.ca_file)
    if tls.cert_file:
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
        except (OSError, ValueError):
            raise ConfigInvalid(
                "the files of this client's certificate are no pair in PEM",
                "name its cert_file and its key_file, whose key has no password",
            ) from None
    return context


def _believing(ca_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ValueError):
        raise ConfigInvalid(f"{ca_file} holds no certificate", "name a PEM file of authorities") from None
    return context


def tls_of_environment(environment: Mapping[str, str] | None = None) -> TlsChoice | None:
    """What the environment says: VOXGATE_TLS (1 or 0), VOXGATE_CA_FILE, VOXGATE_CERT_FILE and VOXGATE_KEY_FILE.

    None where it says nothing. A file that is named means TLS, unless VOXGATE_TLS is 0.

    Raises:
        ConfigInvalid: for a VOXGATE_TLS that is neither.
    """
    told = os.environ if environment is None else environment
    switch = told.get(_SWITCH, "").strip().lower()
    if switch and switch not in (*_ON, *_OFF):
        raise ConfigInvalid(f"{_SWITCH} is neither 1 nor 0", f"set {_SWITCH}=1 to speak TLS")
    files = Tls(**{key: told.get(variable, "") for key, variable in _VARIABLES.items()})
    if switch in _OFF:
        return False
    return files if switch or files != Tls() else None


def tls_to_json(tls: Tls) -> dict[str, str]:
    """What is stated of it, for a file."""
    return {key: value for key, value in asdict(tls).items() if value}


def tls_from_json(document: object) -> Tls:
    """What `tls_to_json` wrote.

    Raises:
        ValueError: for anything else.
    """
    known = {field.name for field in fields(Tls)}
    if not isinstance(document, dict) or not all(k in known and isinstance(v, str) for k, v in document.items()):
        raise ValueError("this is no TLS of a client")
    return Tls(**document)


def _read(name: str) -> bytes | None:
    if not name:
        return None
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"cannot read {name}: {error.strerror}", "name a PEM file") from None


def _no_password() -> str:
    # Asked of nobody: whoever sits there has not been told what for.
    raise ValueError("the key has a password")
