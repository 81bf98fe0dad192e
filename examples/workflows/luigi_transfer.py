"""A Luigi task that copies a volume from store to store; its output is the job's record.

luigi --module luigi_transfer Transfer --source fib25/seg --destination scratch/seg --request-id nightly-2026-11-22
"""

import json
import subprocess
from pathlib import Path

import luigi


class Transfer(luigi.Task):
    """Runs `voxgate transfer`, which does nothing where an earlier run of the same request is done."""

    source = luigi.Parameter(description="remote/path or remote/path@version")
    destination = luigi.Parameter(description="remote/path")
    request_id = luigi.Parameter(description="names this very request: a UUID, or words of your own")
    mode = luigi.Parameter(default="fail-if-exists", description="or overwrite, or update")
    server = luigi.Parameter(default="", description="HOST:PORT; empty means the one of `voxgate login`")
    folder = luigi.Parameter(default=".", description="where records of jobs are kept")

    def output(self) -> luigi.LocalTarget:
        """The job as JSON, with the checksum of what was written."""
        return luigi.LocalTarget(Path(self.folder) / f"{self.request_id}.json")

    def run(self) -> None:
        """Start the job, or find it, and stay until it has ended."""
        command = ["voxgate", "transfer", self.source, self.destination, "--mode", self.mode]
        command += ["--request-id", self.request_id, "--watch", "--json"]
        if self.server:
            command += ["--server", self.server]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        document = json.loads(done.stdout)
        if done.returncode:
            raise RuntimeError(f"{document['error']['message']} ({document['error']['reason']})")
        with self.output().open("w") as file:
            json.dump(document, file)
