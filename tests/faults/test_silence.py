"""What stands between and gives up on 20 seconds of silence gives up on nobody: pings and progress are heard."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from support.envoy import envoy_before
from support.idle_proxy import idle_proxy
from support.replicas import places, replicas_of, running
from voxgate.client.connection import connect
from voxgate.model.geometry import Box

IDLE_S = 20
SMALL = Box.of(x=(5, 37), y=(7, 29), z=(3, 13))
"""Comes in one message: only pings are heard before it."""
LARGE = Box.of(x=(5, 261), y=(7, 263), z=(3, 35))
"""Comes as a stream: its progress is heard, too."""

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def test_proxies_with_twenty_seconds_of_patience_cut_no_slow_read_and_no_resting_connection(tmp_path):
    config = tmp_path / "voxgate.toml"
    config.write_text(
        '[remotes.slow]\nuri = "procedural://"\n[remotes.slow.options]\nlatency_ms = 27000\n'
        '[remotes.fast]\nuri = "procedural://"\n'
    )
    (server,) = replicas = replicas_of("volume", 1, config, tmp_path)
    with (
        running(replicas),
        idle_proxy(server.place.port, IDLE_S) as proxy,
        envoy_before(places(replicas), tmp_path, stream_idle_timeout=f"{IDLE_S}s") as envoy,
        connect(proxy.address) as through_proxy,
        connect(envoy.address) as through_envoy,
        ThreadPoolExecutor(3) as pool,
    ):
        began = time.monotonic()
        slow = [
            pool.submit(through_proxy.volume("slow/em").read, SMALL),
            pool.submit(through_proxy.volume("slow/em").read, LARGE),
            pool.submit(through_envoy.volume("slow/em").read, LARGE),
        ]
        got = [each.result(300) for each in slow]
        assert time.monotonic() - began > IDLE_S  # it is slower than they are patient
        for voxels, box in zip(got, (SMALL, LARGE, LARGE), strict=True):
            np.testing.assert_array_equal(voxels, through_proxy.volume("fast/em").read(box))
        # A connection that rests is heard of by the server's own pings.
        time.sleep(IDLE_S + 5)
        assert proxy.cut_count == 0
        assert proxy.longest_s > 1
        np.testing.assert_array_equal(through_proxy.volume("fast/em").read(SMALL), got[0])
        assert proxy.cut_count == 0
        assert envoy.stats("volume").get("upstream_rq_timeout", 0) == 0
        assert envoy.stats("volume")["upstream_rq_retry"] == 0
