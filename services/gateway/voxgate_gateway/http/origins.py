"""Who may change something over HTTP: any program, and of web pages only our own.

A browser sends a page's requests with what the person behind it may do (their network, cookies, a proxy's sign-in), and
a form needs nobody's leave to post to another origin. Whatever changes something is therefore refused where a browser
says that a page of another origin asks. Programs say neither `Sec-Fetch-Site` (W3C Fetch Metadata) nor `Origin`
(RFC 6454), and pages can forge none of the headers that are looked at here: they are forbidden to scripts, or need a
preflight that the gateway does not allow.

A name that an attacker's DNS points at this machine is its own origin (DNS rebinding); only a proxy that knows its
names can tell.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from voxgate.model.errors import PermissionDenied

_OURS = ("same-origin", "none")
_PORTS = {"http": 80, "https": 443}


def refuse_other_origins(headers: Headers) -> None:
    """Refuse a request that changes something, where a browser sends it for a page of another origin.

    Raises:
        PermissionDenied: when it does; HTTP answers with 403.
    """
    if any(site.strip().lower() not in _OURS for site in headers.getlist("sec-fetch-site")):
        raise _refusal("a page of another site asks for a change")
    for origin in headers.getlist("origin"):
        if not _is_ours(origin, headers):
            raise _refusal("a page of another origin asks for a change")


def _is_ours(origin: str, headers: Headers) -> bool:
    """Whether an Origin is the address that the request was sent to, as far as its headers tell.

    A proxy may take TLS off and not say so, hence the scheme counts only where one states it.
    """
    scheme, host = _origin(origin)
    stated = _first(headers, "x-forwarded-proto").lower()
    if not host or (stated and stated != scheme):
        return False
    asked = (headers.get("host", ""), _first(headers, "x-forwarded-host"))
    return any(_origin(f"{scheme}://{name}") == (scheme, host) for name in asked if name)


def _origin(text: str) -> tuple[str, tuple[str, int] | None]:
    """The scheme of an origin, and its host with its port; None for what is no origin, such as "null"."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return "", None
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _PORTS or not parts.hostname or not bare:
        return "", None
    return parts.scheme, (parts.hostname, _PORTS[parts.scheme] if port is None else port)


def _first(headers: Headers, name: str) -> str:
    return headers.get(name, "").partition(",")[0].strip()


def _refusal(message: str) -> PermissionDenied:
    return PermissionDenied(message, "open the gateway's own pages, or use a program; a proxy in front passes Host on")
