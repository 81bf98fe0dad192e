"""Logs: one JSON object a line, through the standard logger "voxgate". Silent (but for warnings) inside a notebook."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from voxgate.model.secrets import without_secrets

LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

_NAME = "voxgate"
# Without local variables: they hold paths, settings, and whatever a caller sent.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


class _Line(str):
    """A line of JSON that remembers what it says, for who writes it otherwise."""

    fields: Mapping[str, Any]


def logger(name: str = _NAME) -> structlog.stdlib.BoundLogger:
    """The logger of servers, or one below it. Keys, never sentences with values in them; never tokens or paths."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            _rendered,
        ],
    )
    return bound


def is_told(level: int) -> bool:
    """Whether lines of a level are written: for who would work to say something."""
    return logging.getLogger(_NAME).isEnabledFor(level)


def log_to_stderr(log_format: LogFormat = "json", level: LogLevel = "info") -> None:
    """What a server's main program does first: our lines, and the warnings of libraries in the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(log_format))
    others = logging.getLogger()
    others.handlers[:] = [handler]
    others.setLevel(logging.WARNING)
    log = logging.getLogger(_NAME)
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level.upper())


def _rendered(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    clean = {key: _clean(value) for key, value in fields.items() if value not in ("", None)}
    line = _Line(json.dumps(clean, default=str))
    line.fields = clean
    return line


def _clean(value: Any) -> Any:
    """A value without secrets, whatever it is made of."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value


class _Formatter(logging.Formatter):
    """Writes our lines, and what others log, as JSON or for people."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._is_text = log_format == "text"

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = record.msg if isinstance(record.msg, _Line) else _foreign(record)
        return _for_people(line.fields) if self._is_text else str(line)


def _foreign(record: logging.LogRecord) -> _Line:
    fields: dict[str, Any] = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
    fields["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
    if record.exc_info and record.exc_info[0] is not None:
        fields["exception"] = _TRACEBACKS(record.exc_info)
    line = _rendered(None, "", fields)
    assert isinstance(line, _Line)  # noqa: S101  (for the type checker)
    return line


def _for_people(fields: Mapping[str, Any]) -> str:
    """`TIME LEVEL event key=value`: values with spaces are quoted, and an exception follows on lines of its own."""
    first = ("timestamp", "level", "event")
    said = [
        str(fields.get("timestamp", "")),
        str(fields.get("level", "")).upper().ljust(7),
        str(fields.get("event", "")),
    ]
    said += [f"{key}={_plain(value)}" for key, value in fields.items() if key not in (*first, "exception")]
    lines = [" ".join(each if each.isprintable() else repr(each) for each in said)]
    for part in fields.get("exception", ()):
        lines += [f"  {frame['filename']}:{frame['lineno']} {frame['name']}" for frame in part.get("frames", ())]
        lines.append(f"  {part.get('exc_type')}: {part.get('exc_value')}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if text.isprintable() and not set(text) & set(' "=') else json.dumps(text)
