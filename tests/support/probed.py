"""What `test_probing` has looked into in a process of its own; it does there what damaged files make libraries do."""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from voxgate.model.errors import StoreBusy
from voxgate_remotes.probes import serve

ASKED = itertools.count(1)


def handle(request: Mapping) -> tuple[dict, bytes]:
    asked = next(ASKED)
    does = request["does"]
    if does == "crash unless first" and asked > 1:
        does = "crash"
    said = DEEDS.get(does, lambda request: None)(request)
    return {"asked": asked, "pid": os.getpid(), "environment": dict(os.environ)}, said or str(request).encode()


def wait(request: Mapping) -> None:
    while not os.path.exists(request["until"]):
        time.sleep(0.01)


def leave(request: Mapping) -> None:
    raise SystemExit(0)


def refuse(request: Mapping) -> None:
    raise StoreBusy("somebody writes", "wait", details={"who": "somebody"}, retry_after_s=2.5)


def fail(request: Mapping) -> None:
    raise LookupError("with something private")


def write(request: Mapping) -> None:
    with open(request["file"], "wb") as file:
        file.write(b"something")


def speak(request: Mapping) -> None:
    print("no answer", flush=True)
    os.write(1, b"no answer either")


DEEDS = {
    "crash": lambda request: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda request: threading.Event().wait(),
    "take memory": lambda request: bytes(8 << 30),
    "wait": wait,
    "leave": leave,
    "refuse": refuse,
    "fail": fail,
    "write": write,
    "print": speak,
}

if __name__ == "__main__":
    sys.exit(serve(handle))
