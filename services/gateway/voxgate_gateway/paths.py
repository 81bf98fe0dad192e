"""What a request path names. Volume names have slashes, so a dialect's routes are told by the path's end."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request

from voxgate.model.names import VolumeName, split_version
from voxgate_gateway.backend import Backend, VolumeRef


def segments_after(request: Request, prefix: str) -> list[str]:
    """The path's segments after `/prefix/`, still percent-encoded: a decoded path cannot tell an encoded slash."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    return path.partition(f"/{prefix}/")[2].split("/")


def parse_volume(segments: list[str]) -> VolumeRef:
    """The volume that path segments name: `remote/path` or `remote/path@version`; a remote may be a volume itself.

    Raises:
        MalformedName: for anything else; empty, dot and encoded-slash segments included.
    """
    name, version = split_version("/".join(segments).replace("%40", "@"))
    return VolumeRef(str(VolumeName.parse(name)), unquote(version))


def backend_of(request: Request) -> Backend:
    """The backend, its calls carrying this request's identity."""
    backend: Backend = request.app.state.backend
    metadata = [("x-request-id", str(getattr(request.state, "request_id", "")))]
    metadata += [(key, request.headers[key]) for key in ("authorization", "traceparent") if key in request.headers]
    return backend.bound_to(tuple((key, value) for key, value in metadata if value))
