"""Volume names: `remote/seg/seg…`, with the version kept apart (`name@version` is the text form only)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from voxgate.model.errors import MalformedName

_REMOTE = re.compile(r"[a-z0-9-]+")
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~+-]|%[0-9A-Fa-f]{2})+")
_REMEDY = 'use "remote/path", remote of a-z 0-9 -, every other character of the path percent-encoded'


@dataclass(frozen=True, slots=True)
class VolumeName:
    """A parsed volume name.

    Attributes:
        remote: the configured remote's name.
        segments: the path within the remote, decoded; empty names the remote itself.
    """

    remote: str
    segments: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> VolumeName:
        """Parse `remote/seg/seg…`.

        Raises:
            MalformedName: for anything else; dot segments and encoded slashes included.
        """
        remote, *segments = text.split("/")
        if not _REMOTE.fullmatch(remote):
            raise MalformedName(f"{text!r} is not a volume name", _REMEDY)
        for segment in segments:
            decoded = unquote(segment)
            bad = decoded in (".", "..") or "/" in decoded or "\\" in decoded or "\0" in decoded
            if not _SEGMENT.fullmatch(segment) or bad:
                raise MalformedName(f"{text!r} is not a volume name", _REMEDY)
        return VolumeName(remote, tuple(unquote(segment) for segment in segments))

    @property
    def path(self) -> str:
        """The path within the remote, encoded: `seg/seg…`."""
        return "/".join(quote(segment, safe="+~") for segment in self.segments)

    def child(self, segment: str) -> VolumeName:
        """The name one level below."""
        return VolumeName(self.remote, (*self.segments, segment))

    def __str__(self) -> str:
        return f"{self.remote}/{self.path}" if self.segments else self.remote


def split_version(text: str) -> tuple[str, str]:
    """Split the text form `name@version` at the last `@`; the version is empty where there is none."""
    name, at, version = text.rpartition("@")
    return (name, version) if at else (text, "")
