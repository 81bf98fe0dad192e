"""The voxgate command: how it starts and ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from voxgate.cli import failures
from voxgate.model.errors import VoxgateError

if TYPE_CHECKING:
    from voxgate.cli.session import Connect


def run() -> None:
    """The script `voxgate`."""
    try:
        import rich  # noqa: F401, PLC0415  (checked here so that a bare install says what to do)
        import typer  # noqa: F401, PLC0415
    except ImportError:
        failures.report(
            "UNIMPLEMENTED", "the voxgate command is not installed", "pip install 'voxgate[cli]'", as_json=False
        )
        sys.exit(failures.FAILED)
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main(sys.argv[1:]))


def _terminated(_number: int, _frame: FrameType | None) -> None:
    # Unwinds the command, so that half an output file goes away.
    sys.exit(failures.TERMINATED)


def main(arguments: Sequence[str], *, connect: Connect | None = None) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.
        connect: connects to a server; `voxgate.connect` when not given.

    Returns:
        The exit code; see `voxgate.cli.failures`.
    """
    import typer  # noqa: PLC0415  (an extra)

    from voxgate.cli.app import build_app  # noqa: PLC0415  (imports typer)

    # The parent class of typer's bad parameters, at home in different modules of different releases.
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    as_json = "--json" in arguments
    try:
        app = build_app(connect, arguments=arguments)
        code = app(args=list(arguments), prog_name="voxgate", standalone_mode=False) or failures.DONE
        sys.stdout.flush()
        if code == failures.INTERRUPTED:  # typer swallows KeyboardInterrupt
            failures.report("CANCELLED", "interrupted", "", as_json=as_json)
    except VoxgateError as error:
        code = failures.report_error(error, as_json=as_json)
    except usage_error as error:
        code = _usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        failures.report("CANCELLED", "interrupted", "", as_json=as_json)
        code = failures.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough (`| head`). Keeps Python from complaining when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = failures.FAILED
    except OSError as error:
        code = failures.report_os_error(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001  (the outermost border: people get a sentence, never a traceback)
        code = failures.report_fault(error, as_json=as_json)
    return int(code)


def _usage(error: Exception, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    format_message = getattr(error, "format_message", error.__str__)
    remedy = f'see "{context.command_path} --help"' if context else 'see "voxgate --help"'
    failures.report("USAGE", format_message().strip().rstrip("."), remedy, as_json=as_json)
    return failures.USAGE


if __name__ == "__main__":
    run()
