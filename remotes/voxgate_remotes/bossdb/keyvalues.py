"""Key-values of collections, experiments and channels: `/v1/meta/…?key=…&value=…`, no body.

A missing key is 400 with the code 1003, and so is one that is there already where it should not be (bossmeta/views.py
of jhuapl-boss/boss).
"""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument, LimitExceeded, StoreUnavailable, UnknownKey
from voxgate.model.provenance import KEY_PREFIX, Provenance
from voxgate_remotes.bossdb import routes
from voxgate_remotes.bossdb.client import Asking, document_of
from voxgate_remotes.bossdb.failures import BAD_ARGUMENT, refusal, refused
from voxgate_remotes.http.answers import StoreAnswer, StoreCall
from voxgate_remotes.kept_provenance import as_text

_URL_TOO_LONG = 414


class BossKeyValues:
    """The key-values at one place; values are text. Satisfies KeyValues."""

    def __init__(self, asking: Asking, path: tuple[str, ...]) -> None:
        self._asking = asking
        self._address = routes.metadata(path)

    def keys(self) -> list[str]:
        """Every key, sorted.

        Raises:
            UnknownVolume, StoreAccessDenied, StoreBusy, StoreUnavailable, StoreRefused.
        """
        keys = self._asking.document(self._address).get("keys")
        if not isinstance(keys, list):
            raise StoreUnavailable("the store's answer has no list of keys", "look at the store")
        return sorted(map(str, keys))

    def get(self, key: str) -> bytes:
        """The value of a key, UTF-8.

        Raises:
            UnknownKey, InvalidArgument; and as `keys`.
        """
        answer = self._asking.answer(self._call("GET", key))
        if _is_about_key(answer):
            raise _unknown(key)
        if answer.status != 200:
            raise refused(answer)
        value = document_of(answer).get("value")
        if not isinstance(value, str):
            raise StoreUnavailable("the store's answer has no value", "look at the store")
        return value.encode()

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            InvalidArgument: for an empty key, a value that is not UTF-8, or one too long for the store.
        """
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise InvalidArgument(
                "BossDB keeps text, and the value is not UTF-8", "encode it, e.g. as base64"
            ) from None
        # Whether it is there is only known by trying; a second round, should somebody delete it in between.
        for method, done in (("POST", 201), ("PUT", 200), ("POST", 201)):
            answer = self._asking.patiently.answer(self._call(method, key, text))
            if answer.status == done:
                return
            if not _is_about_key(answer):
                break
        if answer.status == _URL_TOO_LONG:
            raise LimitExceeded("the value is too long: BossDB takes it as part of the address", "give a shorter one")
        raise refused(answer)

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey, InvalidArgument; and as `keys`.
        """
        answer = self._asking.patiently.answer(self._call("DELETE", key, is_repeatable=False))
        if _is_about_key(answer):
            raise _unknown(key)
        if answer.status != 204:
            raise refused(answer)

    def _call(self, method: str, key: str, value: str | None = None, *, is_repeatable: bool = True) -> StoreCall:
        if not key:
            raise InvalidArgument("a key cannot be empty", "name one")
        query = (("key", key),) if value is None else (("key", key), ("value", value))
        return StoreCall(method, self._address, query, is_repeatable=is_repeatable)


class BossProvenance:
    """Provenance of a channel: one key for each entry, because values are short; satisfies KeepsProvenance."""

    def __init__(self, key_values: BossKeyValues) -> None:
        self._key_values = key_values

    def keep_provenance(self, provenance: Provenance) -> None:
        """Add an entry under `voxgate-provenance-ID`; see `voxgate.model.provenance.KeepsProvenance`.

        Raises:
            LimitExceeded: when it is too long for the store.
        """
        self._key_values.set(KEY_PREFIX + provenance.key, as_text(provenance).encode())


def _is_about_key(answer: StoreAnswer) -> bool:
    return answer.status == 400 and refusal(answer).code == BAD_ARGUMENT


def _unknown(key: str) -> UnknownKey:
    return UnknownKey(f"there is no key {key!r}", "list the keys")
