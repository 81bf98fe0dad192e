"""The audit log: one line for every call that changes something, done or refused."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.message import Message

from voxgate.model.secrets import without_secrets
from voxgate_serving.auth.principals import Principal
from voxgate_serving.logs import logger

LOGGER = "voxgate.audit"
CHANGES = frozenset(
    (
        *(f"voxgate.v1.VolumeService/{name}" for name in ("WriteCutout", "CreateVolume", "DeleteVolume")),
        "voxgate.v1.VolumeService/StartDownsampling",
        "voxgate.v1.SegmentService/ReserveSegmentIds",
        *(f"voxgate.v1.VersionService/{name}" for name in ("CommitVersion", "CreateVersion", "BranchVersion")),
        *(f"voxgate.v1.MetadataService/{name}" for name in ("SetMetadata", "DeleteMetadata")),
        *(f"voxgate.v1.TransferService/{name}" for name in ("CreateTransfer", "CreatePyramid")),
        "voxgate.v1.MeshService/CreateMeshJob",
        *(f"voxgate.v1.JobService/{name}" for name in ("CancelJob", "ResumeJob")),
    )
)
"""The methods of the contract that change something."""
_TOLD = ("volume", "name", "key", "version", "branch", "count", "source", "destination", "request_id")
_LONGEST = 500


class _Call(Protocol):
    @property
    def request_id(self) -> str: ...

    @property
    def principal(self) -> Principal: ...


class AuditLog:
    """Notes changes. Thread-safe.

    Args:
        path: a file, which only its owner reads and whose lines are JSON; None for the server's own log.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def note(self, method: str, call: _Call, facts: Mapping[str, str], outcome: str) -> None:
        """One line. A file that cannot be written is told in the log, with the line: the change has happened."""
        told = {
            "method": method,
            "principal": call.principal.name,
            "proven_by": call.principal.method,
            "request_id": call.request_id,
            "outcome": outcome,
            **{f"asked_{key}": value for key, value in facts.items()},
        }
        if self._path is None:
            logger(LOGGER).info("change", **told)
            return
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        clean = {key: without_secrets(value) for key, value in told.items()}
        try:
            with self._lock:
                self._append(json.dumps({"timestamp": moment, **clean}) + "\n")
        except OSError as error:
            logger(LOGGER).error("the audit file cannot be written", why=error.strerror, **told)

    def _append(self, line: str) -> None:
        # Opened for each line, so that a file that was rotated away is not written to any more.
        assert self._path is not None  # noqa: S101  (for the type checker)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line.encode())


class AuditedCall:
    """One call that changes something, from its request to its outcome."""

    def __init__(self, log: AuditLog, method: str, call: _Call) -> None:
        self._log = log
        self._method = method
        self._call = call
        self._facts: dict[str, str] = {}

    def heard(self, request: Any) -> Any:
        """The request, or the stream of them, as it is; what it is about is remembered."""
        if isinstance(request, Message):
            self._facts = facts_of(request)
            return request
        return self._stream(request)

    def ended(self, outcome: str) -> None:
        """It was done ("OK"), or ended with a reason."""
        self._log.note(self._method, self._call, self._facts, outcome)

    def _stream(self, requests: Iterator[Any]) -> Iterator[Any]:
        for index, request in enumerate(requests):
            if index == 0:
                self._facts = facts_of(request)
            yield request


def facts_of(request: Message) -> dict[str, str]:
    """What a request is about, briefly: names, and the box of a write; never voxels or values."""
    facts: dict[str, str] = {}
    for part in (request, *(getattr(request, name, None) for name in ("header", "spec"))):
        if not isinstance(part, Message):
            continue
        known = {field.name for field in part.DESCRIPTOR.fields}
        for name in known.intersection(_TOLD):
            value = getattr(part, name)
            if value and not isinstance(value, Message):
                facts[name] = str(value)[:_LONGEST]
        if "box" in known and part.HasField("box"):
            facts["box"] = _corners(part)
    return facts


def _corners(part: Any) -> str:
    start, stop = part.box.start, part.box.stop
    return f"{start.x},{start.y},{start.z}..{stop.x},{stop.y},{stop.z}"
