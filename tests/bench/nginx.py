"""nginx on loopback over a folder: what one would serve precomputed files with."""

from __future__ import annotations

import contextlib
import getpass
import grp
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.processes import ProcessFailed, end_process
from tests.support.scripted_http import closed_port

NGINX = "nginx"
"""The program that a row needs."""
_STARTS_IN_S = 20.0
# As Debian's package comes, but for where things are and who says what: a process for each processor, sendfile.
_CONFIGURATION = """
daemon off;
worker_processes auto;
{user}
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 768; }}
http {{
  sendfile on;
  tcp_nopush on;
  access_log off;
  types {{ text/html html; text/css css; text/javascript js; application/wasm wasm; image/svg+xml svg; }}
  default_type application/octet-stream;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    root {folder};
  }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextlib.contextmanager
def nginx(folder: Path, home: Path) -> Iterator[str]:
    """Serve a folder; yields the address.

    Args:
        folder: what is served.
        home: of its configuration and logs.
    """
    home.mkdir(parents=True, exist_ok=True)
    port = closed_port()
    # Started by root, its workers would be somebody who may not read a temporary folder.
    user = f"user {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name};" if os.getuid() == 0 else ""
    temporary = " ".join(f"{name}_temp_path {home}/{name};" for name in _TEMPORARY)
    configuration = home / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(user=user, home=home, temporary=temporary, port=port, folder=folder))
    command = [NGINX, "-p", str(home), "-c", str(configuration), "-e", str(home / "error.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_it_answers(address, process)
        yield address
    finally:
        end_process(process)


def wait_until_it_answers(address: str, process: subprocess.Popen[Any]) -> None:
    """Wait for a server of HTTP.

    Raises:
        ProcessFailed: when it ends, or takes too long.
    """
    until = time.monotonic() + _STARTS_IN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # as good an answer as any
        except OSError:
            time.sleep(0.05)
    raise ProcessFailed("a server of HTTP did not start")
