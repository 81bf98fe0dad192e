"""Certificates that tests make: authorities of their own, and what those signed for this machine and for clients."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

_HOUR = datetime.timedelta(hours=1)
HERE = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Certificate:
    """PEM files.

    Attributes:
        authority: of who signed it.
        file: of the certificate.
        key: of its key.
    """

    authority: Path
    file: Path
    key: Path

    @property
    def options(self) -> list[str]:
        """For Dask's programs."""
        return ["--tls-ca-file", str(self.authority), "--tls-cert", str(self.file), "--tls-key", str(self.key)]

    @property
    def settings(self) -> list[str]:
        """Lines of [server]."""
        stated = {"ca": self.authority, "cert": self.file, "key": self.key}
        return [f'scheduler_tls_{name} = "{path}"' for name, path in stated.items()]

    @property
    def key_digest(self) -> str:
        """SHA-256 of the public key, base64: how Chromium is told of the one key that it may trust."""
        public = load_pem_private_key(self.key.read_bytes(), None).public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Authority:
    """Signs certificates, whose files are in its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"authority {folder.name}")
        own = _builder(self._name, self._name, self._key.public_key(), (-_HOUR, 48 * _HOUR))
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = own.sign(self._key, hashes.SHA256())
        self.file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def sign(
        self, stem: str, *names: str, hours: tuple[float, float] = (-1, 48), common_name: str = "localhost"
    ) -> Certificate:
        """A certificate for names (of this machine where none is given), DNS, IP, e-mail or URI by their form.

        Its files replace those of the same stem at once; it is valid between two times, in hours from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        span = (hours[0] * _HOUR, hours[1] * _HOUR)
        built = _builder(_named(common_name), self._name, key.public_key(), span)
        built = built.add_extension(x509.SubjectAlternativeName([_general(name) for name in names or HERE]), False)
        built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        built = built.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        signed = built.sign(self._key, hashes.SHA256())
        made = Certificate(self.file, self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem")
        _replace(made.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        _replace(made.file, signed.public_bytes(Encoding.PEM))
        return made


def certificate(folder: Path) -> Certificate:
    """A new authority in a new folder, and a certificate of it for 127.0.0.1 and localhost."""
    return Authority(folder).sign("own")


def put_in_place(new: Certificate, old: Certificate) -> None:
    """Have the files of one certificate hold another, as whoever renews them does: each replaced whole."""
    _replace(old.key, new.key.read_bytes())
    _replace(old.file, new.file.read_bytes())


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.replace(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, span: tuple
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + span[0]).not_valid_after(now + span[1])
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
