"""The commands of the Dask pods in deploy/k8s, run as processes here: a cluster that speaks TLS."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.certificates import certificate
from support.dask_clusters import address_of, threads_at
from support.faults import free_port, until
from support.manifests import only_container, settings_of, workloads
from support.processes import until_left
from voxgate_jobs.worker import CONFIG_VARIABLE


@pytest.mark.full
def test_workers_join_the_scheduler_with_the_certificates_that_are_mounted(tmp_path):
    made = certificate(tmp_path / "authority")
    port = free_port()
    here = {
        "/run/secrets/dask/ca.crt": str(made.authority),
        "/run/secrets/dask/tls.crt": str(made.file),
        "/run/secrets/dask/tls.key": str(made.key),
        "0.0.0.0:8786": f"127.0.0.1:{port}",
        "dask-scheduler:8786": f"127.0.0.1:{port}",
        "--worker-port=8788": "--worker-port=0",
        "--local-directory=/tmp": f"--local-directory={tmp_path}",
    }
    with contextlib.ExitStack() as stack:
        for name in ("dask-scheduler", "dask-worker"):
            container = only_container(workloads("prod")[name])
            words = [*container["command"], *container["args"]]
            for there, place in here.items():
                words = [word.replace(there, place) for word in words]
            words[0] = str(Path(sys.executable).parent / words[0])
            process = subprocess.Popen(words, env={**os.environ, **settings_of(workloads("prod")[name])})
            stack.enter_context(until_left(process))
        until(lambda: threads_at(address_of(port, made)) == 2, "the worker and its two threads")
    assert CONFIG_VARIABLE in settings_of(workloads("prod")["dask-worker"])
