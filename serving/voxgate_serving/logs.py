"""Logs: one JSON object a line, through the standard logger "voxgate". Silent (but for warnings) inside a notebook."""

from __future__ import annotations

import logging
import sys

import structlog

_NAME = "voxgate"


def logger() -> structlog.stdlib.BoundLogger:
    """The logger of servers. Keys, never sentences with values in them; never tokens or paths."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(_NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without local variables: they hold paths, settings, and whatever a caller sent.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
    )
    return bound


def log_to_stderr(level: int = logging.INFO) -> None:
    """What a server's main program does first."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger(_NAME)
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level)
