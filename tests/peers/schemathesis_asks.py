"""Schemathesis against a server: `schemathesis_asks.py DOCUMENT-URL CONFIG EXAMPLES PHASES` says what it found."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

EXCLUDED = "positive_data_acceptance"
"""It wants every request that its schema allows to be taken; no schema says that a box must lie in a volume."""


def main(document: str, config: str, examples: str, phases: str) -> None:
    """Ask, and print {"exit": …, "said": …} with the end of what it said."""
    program = Path(sys.executable).parent / "schemathesis"
    # The document's server is relative to the document, which Schemathesis takes for relative to the host.
    command = [program, "--config-file", config, "run", document, "--url", document.rpartition("/")[0]]
    command += ["--max-examples", examples, "--phases", phases, "--seed", "7", "--no-color"]
    command += ["--exclude-checks", EXCLUDED, "--request-timeout", "60"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(json.dumps({"exit": done.returncode, "said": (done.stdout + done.stderr)[-8000:]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
