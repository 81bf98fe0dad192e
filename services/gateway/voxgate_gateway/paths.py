"""What a request path names: volume names have slashes, so the segment `-` closes them."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request

from voxgate.model.errors import NotFound
from voxgate.model.hops import VIA_KEY
from voxgate.model.names import VolumeName, split_version
from voxgate_gateway.backend import Backend, VolumeRef
from voxgate_gateway.backend.jobs import Jobs
from voxgate_gateway.backend.underway import Underway

CLOSES_THE_NAME = "-"
_PASSED_ON = ("authorization", "traceparent", "tracestate", VIA_KEY)


def segments_after(request: Request, prefix: str) -> list[str]:
    """The path's segments after `/prefix/`, still percent-encoded: a decoded path cannot tell an encoded slash."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    return path.partition(f"/{prefix}/")[2].split("/")


def split_address(segments: list[str]) -> tuple[list[str], list[str]]:
    """The segments of a volume's name, and those of what is asked of it: the last segment `-` stands between them.

    Nothing that is asked of a volume has such a segment, and a name may have one.

    Raises:
        NotFound: where there is none.
    """
    if CLOSES_THE_NAME not in segments:
        raise NotFound(
            "the address does not say where the volume's name ends",
            "the segment - closes it: NAME/-/info, or NAME@VERSION/-/info",
        )
    at = len(segments) - 1 - segments[::-1].index(CLOSES_THE_NAME)
    return segments[:at], segments[at + 1 :]


def parse_volume(segments: list[str]) -> VolumeRef:
    """The volume that path segments name: `remote/path` or `remote/path@version`; a remote may be a volume itself.

    Raises:
        MalformedName: for anything else; empty, dot and encoded-slash segments included.
    """
    name, version = split_version("/".join(segments).replace("%40", "@"))
    return VolumeRef(str(VolumeName.parse(name)), unquote(version))


def backend_of(request: Request, underway: Underway | None = None) -> Backend:
    """The backend, its calls carrying this request's identity and way through servers, and ending with `underway`."""
    backend: Backend = request.app.state.backend
    metadata = [("x-request-id", str(getattr(request.state, "request_id", "")))]
    metadata += [(key, request.headers[key]) for key in _PASSED_ON if key in request.headers]
    return backend.bound_to(tuple((key, value) for key, value in metadata if value), underway)


def jobs_of(request: Request) -> Jobs:
    """The jobs of whoever asks."""
    return Jobs(request.app.state.forwarder, backend_of(request).calls.metadata)
