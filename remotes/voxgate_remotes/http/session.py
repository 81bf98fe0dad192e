"""Calls to a store over HTTP: connections are kept, failures told apart, what may be repeated is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import requests
import urllib3.exceptions

from voxgate.model.errors import ConfigInvalid, PathRefused, StoreUnavailable
from voxgate.model.hops import REASON_HEADER, VIA_KEY
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig
from voxgate_remotes.http.addresses import Origin, next_url
from voxgate_remotes.http.answers import HttpLimits, StoreAnswer, StoreCall
from voxgate_remotes.http.bodies import read_answer
from voxgate_remotes.http.connections import Lines
from voxgate_remotes.http.retries import RETRIED, backoff_s, retry_after_s
from voxgate_remotes.http.sockets import Watch
from voxgate_remotes.http.tokens import token_of
from voxgate_remotes.http.troubles import Trouble, from_library

__all__ = ["HttpLimits", "StoreAnswer", "StoreCall", "StoreSession"]

_LIMITS = HttpLimits()
_MOST_HOPS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_AT_HOME_ONLY = frozenset(("authorization", "cookie", "proxy-authorization"))


def pause(context: CallContext, seconds: float) -> None:
    """Wait, but not for a caller who went away."""
    context.stop.wait(seconds)


def _normal(url: str) -> str:
    """A URL as it is sent: where it leads is decided on what is asked for, not on another reading of the same text.

    Raises:
        PathRefused: when it is none.
    """
    try:
        return str(requests.Request("GET", url).prepare().url)
    except (requests.RequestException, UnicodeError):
        raise PathRefused("the store redirects to an address that is no URL", "look at the store") from None


class StoreSession:
    """One store's server. Thread-safe; connections are kept and shared; nothing is connected at construction."""

    def __init__(
        self,
        base_url: str,
        *,
        credentials: CredentialsConfig,
        authorization: str = "Bearer",
        limits: HttpLimits = _LIMITS,
        _pause: Callable[[CallContext, float], None] = pause,
    ) -> None:
        """A session with the server at `base_url` (scheme, host, port), as `uris.base_url` answers it.

        Args:
            base_url: where it is.
            credentials: what proves who asks; read at each call.
            authorization: the word before the token in the Authorization header: "Token" for BossDB.
            limits: patience.
            _pause: for tests: waits between two attempts.

        Raises:
            ConfigInvalid: when `base_url` is none.
        """
        try:
            self._base_url = _normal(base_url).rstrip("/")
            self._home = Origin.of(self._base_url)
        except PathRefused:
            raise ConfigInvalid("the uri of a remote is no URL of http or https", "state a host") from None
        self._credentials = credentials
        self._authorization = authorization
        self._limits = limits
        self._pause = _pause
        self._lines = Lines(limits)

    def __repr__(self) -> str:
        return f"StoreSession({self._base_url!r})"

    def request(self, call: StoreCall, context: CallContext) -> StoreAnswer:
        """Send a call and read the whole answer.

        Failed connections and the statuses 429, 502, 503 and 504 are tried again after a growing wait, or the one the
        store asks for, as long as the limits, the deadline and the caller allow; a call that is not repeatable only
        when it was not sent. GET and HEAD follow up to three redirects.

        Returns:
            The answer, whatever its status, also 429 and 5xx after the last attempt.

        Raises:
            StoreUnavailable: the name does not resolve, the connection is refused or lost, no TLS, no answer in time,
                an answer that is no HTTP or shorter than it says; the message says which.
            ChunkCorrupt: the answer is longer than the call allows.
            PathRefused: the path has dot segments, or a redirect leads where the address guard does not let us go.
            Cancelled, DeadlineExceeded: as the context says.
            ConfigInvalid: the token or the trusted certificates cannot be read.
        """
        url = self._url(call)
        attempt = 1
        while True:
            context.check()
            watch = Watch(context, self._limits)
            outcome: StoreAnswer | Trouble
            try:
                outcome = self._followed(call, url, watch)
            except Trouble as trouble:
                outcome = trouble
            wait = self._wait_after(outcome, attempt, watch, call.is_repeatable)
            if wait is None:
                if isinstance(outcome, Trouble):
                    raise outcome.error from None
                return outcome
            self._pause(context, wait)
            attempt += 1

    def _url(self, call: StoreCall) -> str:
        # requests and urllib3 would both resolve dot segments: out of the folder the adapter meant.
        segments = call.path.lower().replace("%2e", ".").split("/")
        if not call.path.startswith("/") or "." in segments or ".." in segments:
            raise PathRefused("the path leads outside of its remote", "name volumes below the remote only")
        query = f"?{urlencode(call.query, quote_via=quote)}" if call.query else ""
        return f"{self._base_url}{call.path}{query}"

    def _wait_after(
        self, outcome: StoreAnswer | Trouble, attempt: int, watch: Watch, is_repeatable: bool
    ) -> float | None:
        """Seconds until the next attempt, or None when this one was the last."""
        if attempt >= self._limits.attempts or not (is_repeatable or not watch.was_sent):
            return None
        wait = backoff_s(attempt, self._limits.most_wait_s)
        if isinstance(outcome, Trouble):
            if not outcome.is_passing:
                return None
        elif outcome.status not in RETRIED or outcome.headers.get(REASON_HEADER) == StoreUnavailable.reason:
            # Another voxgate has asked its store again already: if every server of a chain did, they would multiply.
            return None
        else:
            wait = max(wait, retry_after_s(outcome.headers) or 0)
        deadline = watch.context.deadline
        if wait > self._limits.most_wait_s or (deadline is not None and time.monotonic() + wait >= deadline):
            return None  # the caller knows better what to do with so long a time
        return wait

    def _followed(self, call: StoreCall, url: str, watch: Watch) -> StoreAnswer:
        """The answer to one attempt, redirects followed."""
        is_home = True
        for _ in range(_MOST_HOPS + 1):
            # Who sends us back home from abroad gets neither our token in nor a way into a private network.
            is_home = is_home and self._home.is_home_of(Origin.of(url))
            if call.body is not None and not is_home:
                raise PathRefused("the store redirects a request with a body to another host", "look at the store")
            answer = self._exchanged(call, url, is_home, watch)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or call.method not in ("GET", "HEAD") or not location:
                return answer
            url = _normal(next_url(url, location))
        told = StoreUnavailable(
            f"the store redirects in a circle, or more than {_MOST_HOPS} times", "look at the store"
        )
        raise Trouble(told, is_passing=False)

    def _exchanged(self, call: StoreCall, url: str, is_home: bool, watch: Watch) -> StoreAnswer:
        """One request, one answer."""
        token = token_of(self._credentials) if is_home else ""
        headers = {name: value for name, value in call.headers if is_home or name.lower() not in _AT_HOME_ONLY}
        if token:
            headers["Authorization"] = f"{self._authorization} {token}"
        if is_home:
            headers.update(watch.context.trace.headers)
            if watch.context.via:
                headers[VIA_KEY] = ",".join(watch.context.via)
        lines = self._lines_here()
        watch.until(lambda slice_s: lines.turns.acquire(timeout=slice_s), float("inf"), "")
        try:
            prepared = requests.Request(call.method, url, headers=headers, data=call.body).prepare()
            response = lines.send(prepared, is_home=is_home, watch=watch)
            return read_answer(response, call.max_answer_bytes, token)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise from_library(error) from None
        finally:
            lines.turns.release()

    def _lines_here(self) -> Lines:
        lines = self._lines
        if lines.pid != os.getpid():
            # A forked child. No lock: another thread may have held it when the parent forked. Two threads that come
            # here together make one set of connections too many, which goes with its first answer.
            self._lines = lines = Lines(self._limits)
        return lines
