"""Stores behind a network that keep their callers waiting: who waits how long, and what is told."""

import threading
import time

import numpy as np
import pytest

from support.known_volumes import PATH
from support.precomputed_volumes import raw_pyramid
from support.scripted_http import SILENCE, scripted
from support.static_http import static_http
from voxgate.model.errors import Cancelled, ConfigInvalid, DeadlineExceeded, StoreUnavailable
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext, ChunkPresence, OpenOptions, Scale
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.objects import ObjectsRemote
from voxgate_remotes.objects import patience as waiting
from voxgate_remotes.objects.patience import Arrivals, Patience

NAMES = tuple(PATH.split("/"))


@pytest.fixture
def files(tmp_path):
    raw_pyramid(tmp_path / PATH)
    with static_http(tmp_path) as served:
        yield served


def web(url, **options):
    return ObjectsRemote(RemoteConfig(uri=url, options=options))


def s3(url, **options):
    options = {"endpoint": url, "anonymous": True, **options}
    return ObjectsRemote(RemoteConfig(uri=f"s3://{NAMES[0]}", options=options))


def open_web(url, *, timeout_s=600, **stated):
    return web(url, timeout_s=timeout_s).open(NAMES, OpenOptions(**stated))


def open_s3(url, *, timeout_s=600, **stated):
    return s3(url, timeout_s=timeout_s).open(NAMES[1:], OpenOptions(**stated))


OPENED = {"http": open_web, "s3": open_s3}


def allow(volume, seconds):
    """Change what an operator allows: opening itself takes its time on a busy machine."""
    object.__setattr__(volume._opened.patience, "seconds", seconds)


@pytest.mark.parametrize("kind", OPENED)
def test_a_store_that_falls_silent_is_unavailable_without_any_deadline(files, kind):
    volume = OPENED[kind](files.url)
    allow(volume, 0.5)
    files.held.clear()
    who = {"http": "the web server", "s3": "the s3 store"}[kind]
    with pytest.raises(StoreUnavailable, match=rf"{who} sent nothing for 0\.5 s \(reading voxels\)"):
        volume.read(volume.info.scales[0].bounds)
    with pytest.raises(StoreUnavailable, match="looking for stored chunks"):
        volume.capability(ChunkPresence).is_absent(volume.info.scales[0].bounds)


@pytest.mark.parametrize("kind", OPENED)
def test_a_server_that_accepts_and_never_answers_is_unavailable(kind):
    with scripted([SILENCE] * 50) as server, pytest.raises(StoreUnavailable, match=r"nothing for 0\.5 s"):
        OPENED[kind](server.url, timeout_s=0.5)


@pytest.mark.parametrize("kind", OPENED)
def test_a_callers_deadline_and_leaving_are_told_as_such(files, kind):
    gone = threading.Event()
    leaving = OPENED[kind](files.url, context=CallContext(stop=gone))
    hurried = OPENED[kind](files.url, context=CallContext(deadline=time.monotonic() + 3))
    box = hurried.info.scales[0].bounds
    files.held.clear()
    threading.Timer(0.1, gone.set).start()
    with pytest.raises(Cancelled):
        leaving.read(box)
    with pytest.raises(DeadlineExceeded):
        hurried.read(box)


def test_a_store_from_which_something_comes_is_waited_for(monkeypatch):
    now, came = [0.0], [0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    context = Patience(10, "the s3 store").of(CallContext(), "reading voxels", lambda: came[0])
    for now[0] in (9, 18, 27):
        came[0] += 1
        context.check()
    now[0] = 37
    context.check()
    now[0] = 37.5
    with pytest.raises(StoreUnavailable):
        context.check()


@pytest.mark.parametrize("dtype", ["<u1", "<u8", "<f4"])
def test_a_chunk_that_is_what_the_array_held_before_is_seen_to_arrive(dtype):
    box, chunk = Box.at(Vec3(-3, 5, 2), Vec3(7, 6, 5)), Vec3(4, 3, 2)
    voxels = np.full((2, 5, 6, 7), 3, dtype)
    held = np.asfortranarray(voxels)
    arrivals = Arrivals(held, box, Scale("", box, chunk, chunk, Vec3(1, 0, 0)))
    before = arrivals()
    assert arrivals() == before
    held[1, :1, :1, :1] = 3
    assert arrivals() != before


def test_what_comes_too_late_is_not_written_into_a_callers_array(files):
    volume = OPENED["http"](files.url)
    box = volume.info.scales[0].bounds
    out = np.zeros((1, *box.shape.zyx), volume.info.dtype)
    files.held.clear()
    allow(volume, 0.5)
    with pytest.raises(StoreUnavailable):
        volume.read(box, out=out)
    asked = len(files.asked)
    allow(volume, 600)
    files.held.set()
    assert volume.read(box).any()
    assert len(files.asked) > asked
    assert not out.any()
    np.testing.assert_array_equal(volume.read(box, out=out), volume.read(box))


@pytest.mark.parametrize("value", [0, -1, "60", float("inf")])
def test_a_limit_is_a_positive_number(value):
    with pytest.raises(ConfigInvalid, match="timeout_s"):
        web("https://host", timeout_s=value)
