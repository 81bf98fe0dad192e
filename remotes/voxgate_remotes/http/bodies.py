"""Reading the body of an answer: bounded, complete, and no longer than somebody waits for it."""

from __future__ import annotations

import urllib3.exceptions
from requests.models import Response
from urllib3.response import BaseHTTPResponse

from voxgate.model.errors import ChunkCorrupt
from voxgate_remotes.http.answers import StoreAnswer
from voxgate_remotes.http.troubles import Trouble, cut_short, from_library

_ERROR_BYTES = 1 << 20  # of an answer that is only read by people
_PIECE = 1 << 20


def read_answer(response: Response, most_bytes: int, token: str) -> StoreAnswer:
    """The whole answer; its connection goes back to the pool.

    Args:
        response: sent with `stream=True`.
        most_bytes: of the body. Of an error's more than a MiB is left unread.
        token: taken out of an error's body, should the store repeat it.

    Raises:
        ChunkCorrupt: when a success is longer.
        Trouble, Cancelled, DeadlineExceeded.
    """
    is_error = response.status_code >= 400
    body = _read(response.raw, _ERROR_BYTES if is_error else most_bytes, is_cut=is_error)
    if is_error and token:
        body = body.replace(token.encode("ascii"), b"***")
    return StoreAnswer(response.status_code, response.headers, body)


def _read(raw: BaseHTTPResponse, most_bytes: int, *, is_cut: bool) -> bytes:
    """The body, or with `is_cut` its beginning."""
    announced = raw.length_remaining  # None for one that ends with its last piece, or with the connection
    is_whole = False
    try:
        is_plain = "Content-Encoding" not in raw.headers  # or else the length is another one than that of the body
        if announced is not None and announced > most_bytes and is_plain and not is_cut:
            raise _too_long(most_bytes)
        pieces: list[bytes] = []
        left = most_bytes
        while left >= 0:
            # In one piece where its length is known: it is read to where it stays.
            piece = raw.read(min(left + 1, announced or _PIECE), decode_content=True)
            if not piece:
                is_whole = True
                break
            pieces.append(piece)
            left -= len(piece)
        if not is_whole and not is_cut:
            raise _too_long(most_bytes)
        return b"".join(pieces)[:most_bytes]
    except urllib3.exceptions.HTTPError as error:
        raise _trouble(raw, announced, error) from None
    finally:
        if is_whole:
            raw.release_conn()
        else:
            raw.close()


def _trouble(raw: BaseHTTPResponse, announced: int | None, error: Exception) -> Trouble:
    if announced is not None and raw.length_remaining:
        return cut_short(announced - raw.length_remaining, announced)
    return from_library(error)


def _too_long(most_bytes: int) -> ChunkCorrupt:
    return ChunkCorrupt(
        f"the store's answer is longer than the {most_bytes} bytes that were to be expected", "look at the store"
    )
