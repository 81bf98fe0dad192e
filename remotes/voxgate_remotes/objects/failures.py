"""What tensorstore says of a store behind a network, in typed errors with the store's own words.

Its messages carry the HTTP status as `[HTTP code 403]` (drivers http and gcs) or `[http_response_code='403']` (driver
s3, which puts the store's own code and message in front: "ExpiredToken: The provided token has expired."), and name
the URL or key that was asked for. They never hold a header, so neither a token nor a signature; URLs are left out here
all the same, because they say where the operator's data is.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from voxgate.model.errors import (
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnsupportedFormat,
    VoxgateError,
)
from voxgate_remotes.http.failures import words_of
from voxgate_remotes.known_sizes import ignores_ranges, is_shorter
from voxgate_remotes.tensorstores import STORE_ERRORS

_STATUS = re.compile(r"HTTP code (\d{3})|http_response_code='(\d{3})'")
_NOTES = re.compile(r"\s*\[[a-z_-]+='(?:[^'\\]|\\.)*'\]|\s*\[HTTP code \d+\]", re.DOTALL)
_LEADING = re.compile(r"^[A-Z_]+: ")
_PLACES = re.compile(r"""(?:Error|While) [^"':]*?(?:"[^"]*"|[a-z0-9]+://\S*?)(?: driver)?(?=: |$|\s):?\s*""")
_URLS = re.compile(r"""["']?\b[a-z0-9]+://[^\s"']+["']?""")
_ATTEMPTS = re.compile(r"All \d+ retry attempts failed: ")
_CODE = re.compile(r"([A-Z][A-Za-z]{2,60}): ")
_CURL = "CURL error "
_NO_SUCH_CODING = "Unrecognized content encoding type"
_PASSING = ("ABORTED", "UNAVAILABLE", "DEADLINE_EXCEEDED")
_CREDENTIALS = (
    *("AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestExpired", "RequestTimeTooSkewed"),
    *("SignatureDoesNotMatch", "TokenRefreshRequired"),
)
"""S3's codes that mean who asks: some come with the status 400 (docs.aws.amazon.com, S3 API, ErrorResponses)."""
_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException")
_ACCESS_REMEDY = "check the remote's credentials and their rights at the store"
_LISTING_REMEDY = " (without s3:ListBucket, S3 says the same of chunks that are absent)"


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """A block in which failures of the network, also those that became other errors already, say what they are.

    Raises:
        StoreAccessDenied, StoreBusy, StoreRefused, StoreUnavailable; UnsupportedFormat for a Content-Encoding that no
        transport here undoes.
    """
    try:
        yield
    except VoxgateError as error:
        cause = error.__cause__
        better = network_error(cause, doing) if isinstance(cause, STORE_ERRORS) else None
        if better is None:
            raise
        raise better from cause
    except STORE_ERRORS as error:
        raise network_error(error, doing) or _unknown(error, doing) from error


def network_error(error: Exception, doing: str) -> VoxgateError | None:
    """The error that tensorstore's exception means; None where it is not about the network.

    Args:
        error: what tensorstore raised.
        doing: what was tried, for the message: "reading voxels".
    """
    text = str(error)
    if is_shorter(error):  # a status among its words is that of a range that the object has not
        return None
    if ignores_ranges(error):
        return StoreRefused(
            f"the server sends whole files where parts are asked for ({doing})",
            "sharded volumes need a server that answers Range requests; serve the volume unsharded, or elsewhere",
        )
    if _NO_SUCH_CODING in text:
        return UnsupportedFormat(
            f"the store sends a Content-Encoding that cannot be undone ({doing})",
            "store the objects plain, or with the Content-Encoding gzip, br or zstd",
        )
    words = words_in(text)
    said = f": {words}" if words else ""
    found = _STATUS.search(text)
    status = int(found.group(1) or found.group(2)) if found else 0
    if not status:
        passing = _CURL in text or text.partition(":")[0] in _PASSING
        return StoreUnavailable(f"the store cannot be reached ({doing}){said}", "try again later") if passing else None
    return _of_status(status, f"({status}, {doing}){said}", words.partition(":")[0])


def _of_status(status: int, what: str, code: str) -> VoxgateError:
    """The error of an HTTP status, where the store may have given a code of its own."""
    details = {"status": str(status)}
    if status == 301 or code in _REGION:
        return StoreRefused(f"the store has this elsewhere {what}", "state the bucket's `region`", details=details)
    if 300 <= status < 400:
        remedy = "configure the address that it redirects to, if it is to be trusted"
        return StoreRefused(f"the store redirects requests for voxels {what}", remedy, details=details)
    if status in (401, 403) or code in _CREDENTIALS:
        remedy = _ACCESS_REMEDY + (_LISTING_REMEDY if status == 403 and code == "AccessDenied" else "")
        return StoreAccessDenied(f"the store does not let us in {what}", remedy, details=details)
    if status == 429 or code == "SlowDown":
        return StoreBusy(f"the store asks for fewer requests {what}", "try again later", details=details)
    if status >= 500 or status == 408:
        return StoreUnavailable(f"the store failed {what}", "try again later", details=details)
    return StoreRefused(f"the store refuses this {what}", "", details=details)


def words_in(text: str) -> str:
    """What is left of tensorstore's message without its codes, notes and places: the store's words, fit to be shown."""
    text = _NOTES.sub("", text)
    text = _ATTEMPTS.split(_LEADING.sub("", text))[-1]
    text = _URLS.sub("", _PLACES.sub("", text)).removeprefix(_CURL)
    code = _CODE.match(text)
    if code:  # looked at apart: what follows "ExpiredToken: " is no token
        return f"{code.group(1)}: {words_of(text[code.end() :])}"
    return words_of(text).strip(" :")


def _unknown(error: Exception, doing: str) -> StoreUnavailable:
    """An error of the driver that says nothing about the network."""
    return StoreUnavailable(f"the store failed ({doing}): {words_in(str(error))}", "try again later")
