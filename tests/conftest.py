"""What tests of every tier share: they note which cells of docs/reference/stores.md and dialects.md they prove."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from support.proofs import OWN_FAKE, Proof, Proofs, cell_of

# No test asserts a time, and an example of a property may meet a busy machine.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

collect_ignore = ["plugin"]
"""A distribution of its own, whose tests run where it is installed: tests/integration/test_plugin.py."""

_PAGES = ("store", "dialect")
"""The pages that are written from what a run proves: each has an option --PAGE-proofs."""
_PROOFS = pytest.StashKey[dict[str, Proofs]]()
_NOTED = pytest.StashKey[list[tuple[str, Proof]]]()


def pytest_addoption(parser):
    for page in _PAGES:
        about = f"write what this run proves about {page}s as JSON"
        parser.addoption(f"--{page}-proofs", metavar="FILE", help=about)


def pytest_configure(config):
    # Whoever runs the tests in the background ignores interrupts, and so would every process that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Servers that tests start keep their jobs here, not among the user's.
    state = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="voxgate-tests-")
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
    config.stash[_PROOFS] = {page: Proofs() for page in _PAGES}
    config.addinivalue_line("markers", "own_fake(store, *features): proves cells against a server of ours only")


@pytest.fixture
def proved(request) -> Callable[[str, str, str, int], None]:
    """Call it with (store, feature, peer with its release, voxels compared); it counts when the test passes."""
    return _noting(request, "store")


@pytest.fixture
def read_in(request) -> Callable[[str, str, str, str, int], None]:
    """Call it first with (dialect, store or fact, client, peer with its release, voxels); as `proved`, for dialects."""
    note = _noting(request, "dialect")
    return lambda dialect, what, client, peer, voxels: note(what, cell_of(dialect, client), peer, voxels)


def _noting(request, page: str) -> Callable[[str, str, str, int], None]:
    noted: list[tuple[str, Proof]] = request.node.stash.setdefault(_NOTED, [])
    return lambda what, feature, peer, voxels: noted.append((page, Proof(what, feature, peer, int(voxels))))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    noted = list(item.stash.get(_NOTED, []))
    for marker in item.iter_markers("own_fake"):
        store, *features = marker.args
        noted += [("store", Proof(store, feature, OWN_FAKE, 0)) for feature in features]
    for page, proof in noted:
        proofs = item.config.stash[_PROOFS][page]
        if report.failed:
            proofs.failed.add((proof.store, proof.feature))
        elif report.passed and call.when == "call":
            proofs.passed.append(proof)


def pytest_sessionfinish(session):
    """Write the proofs; where several processes share the tests, each writes its part and the first one joins them."""
    for page, proofs in session.config.stash[_PROOFS].items():
        told = session.config.getoption(f"--{page}-proofs")
        if told:
            _write(proofs, Path(told))


def _write(proofs: Proofs, path: Path) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        proofs.write_part(path.with_name(f"{path.name}.{worker}"))
        return
    for part in sorted(path.parent.glob(f"{path.name}.gw*")):
        proofs.add_part(part)
        part.unlink()
    proofs.write(path)
