"""What tests of every tier share: they note which cells of docs/reference/stores.md they prove."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from support.proofs import OWN_FAKE, Proof, Proofs

# No test asserts a time, and an example of a property may meet a busy machine.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

collect_ignore = ["plugin"]
"""A distribution of its own, whose tests run where it is installed: tests/integration/test_plugin.py."""

_PROOFS = pytest.StashKey[Proofs]()
_NOTED = pytest.StashKey[list[Proof]]()


def pytest_addoption(parser):
    parser.addoption("--store-proofs", metavar="FILE", help="write what this run proves about stores as JSON")


def pytest_configure(config):
    # Whoever runs the tests in the background ignores interrupts, and so would every process that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Servers that tests start keep their jobs here, not among the user's.
    state = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="voxgate-tests-")
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
    config.stash[_PROOFS] = Proofs()
    config.addinivalue_line("markers", "own_fake(store, *features): proves cells against a server of ours only")


@pytest.fixture
def proved(request) -> Callable[[str, str, str, int], None]:
    """Call it with (store, feature, peer with its release, voxels compared); it counts when the test passes."""
    noted: list[Proof] = request.node.stash.setdefault(_NOTED, [])
    return lambda store, feature, peer, voxels: noted.append(Proof(store, feature, peer, int(voxels)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    proofs = item.config.stash[_PROOFS]
    noted = list(item.stash.get(_NOTED, []))
    for marker in item.iter_markers("own_fake"):
        store, *features = marker.args
        noted += [Proof(store, feature, OWN_FAKE, 0) for feature in features]
    if report.failed:
        proofs.failed |= {(each.store, each.feature) for each in noted}
    elif report.passed and call.when == "call":
        proofs.passed += noted


def pytest_sessionfinish(session):
    """Write the proofs; where several processes share the tests, each writes its part and the first one joins them."""
    told = session.config.getoption("--store-proofs")
    if not told:
        return
    path, proofs = Path(told), session.config.stash[_PROOFS]
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        proofs.write_part(path.with_name(f"{path.name}.{worker}"))
        return
    for part in sorted(path.parent.glob(f"{path.name}.gw*")):
        proofs.add_part(part)
        part.unlink()
    proofs.write(path)
