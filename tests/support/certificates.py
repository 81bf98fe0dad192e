"""Certificates that tests make: an authority of their own, and what it signed for this machine."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OPENSSL = shutil.which("openssl")
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]


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
        command = [str(OPENSSL), "pkey", "-in", str(self.key), "-pubout", "-outform", "DER"]
        public = subprocess.run(command, check=True, capture_output=True).stdout
        return base64.b64encode(hashlib.sha256(public).digest()).decode()


def certificate(folder: Path) -> Certificate:
    """A new authority in a new folder, and a certificate of it for 127.0.0.1 and localhost."""
    folder.mkdir()
    authority, root_key, file, key = (folder / f"{name}.pem" for name in ("ca", "ca-key", "own", "own-key"))
    _made([*_KEY, "-keyout", root_key, "-out", authority, "-subj", f"/CN=authority {folder.name}"])
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    own = ["-subj", "/CN=localhost", "-addext", names, "-addext", "basicConstraints=critical,CA:false"]
    _made([*_KEY, "-keyout", key, "-out", file, "-CA", authority, "-CAkey", root_key, *own])
    return Certificate(authority, file, key)


def _made(arguments: list[object]) -> None:
    command = [OPENSSL, "req", "-x509", "-days", "2", "-sha256", *arguments]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
