"""A configuration that is read again while its server serves."""

import json
import signal
import threading
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from support.processes import FREE_PORTS, VOXGATE, announcing
from support.scraped import scraped, scraped_until
from support.servers import server_process
from voxgate.client.connection import connect
from voxgate.model.errors import UnknownRemote
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2, volume_pb2_grpc
from voxgate.wire.volumes import box_to_proto
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_serving.settings import load_configuration

SLOW = '[remotes.slow]\nuri = "procedural://"\noptions = {{ latency_ms = {ms} }}\n'
BOX = Box.of(x=(999_000, 999_031), y=(999_500, 999_517), z=(998_001, 998_012))
LARGE = Box.of(x=(7, 407), y=(3, 403), z=(5, 405))


def server_table(**settings):
    return "[server]\nmetrics_port = 0\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


@pytest.fixture
def running(tmp_path):
    """A server whose file has one slow remote; with its port of metrics and the path of the file."""
    path = tmp_path / "voxgate.toml"
    path.write_text(server_table() + SLOW.format(ms=60))
    with server_process("voxgate_volume", path, tmp_path / "log") as server:
        yield server, _metrics_port(server), path


def _metrics_port(server):
    return json.loads(next(_lines(server, '"event": "metrics"')))["metrics_port"]


def _lines(server, text):
    return (line for line in server.log.read_text().splitlines() if text in line)


def _reloads(port, outcome):
    return scraped(port).value("voxgate_config_reloads_total", outcome=outcome)


def _reload(server, port, outcome):
    """Send SIGHUP and wait for what comes of it."""
    before = _reloads(port, outcome)
    server.process.send_signal(signal.SIGHUP)
    return scraped_until(port, lambda page: page.value("voxgate_config_reloads_total", outcome=outcome) == before + 1)


def test_a_long_stream_survives_while_its_remote_goes_and_another_comes(running):
    server, port, path = running
    with grpc.insecure_channel(server.address) as channel, connect(server.address) as client:
        expected = client.volume("slow/em").read(BOX)
        stub = volume_pb2_grpc.VolumeServiceStub(channel)
        request = volume_pb2.ReadCutoutRequest(volume="slow/em", box=box_to_proto(LARGE))
        stream = stub.ReadCutout(request, timeout=120)
        next(stream)
        path.write_text(server_table() + '[remotes.fresh]\nuri = "procedural://"\n')
        page = _reload(server, port, "applied")
        assert page.value("voxgate_calls_running", method="voxgate.v1.VolumeService/ReadCutout") == 1
        with pytest.raises(UnknownRemote):
            client.volume("slow/em")
        np.testing.assert_array_equal(client.volume("fresh/em").read(BOX), expected)
        *_, last = stream
    assert last.summary.size_bytes > 0
    assert _names(server) == ["fresh"]


def _names(server):
    with connect(server.address) as client:
        return [entry.name for entry in client.volumes()]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("[remotes.slow]\nuri = 'procedural://'\nwriteable = true\n", "unknown key remotes.slow.writeable"),
        ("[remotes.b]\nuri = 'gopher://x'\n", "gopher"),
        ("[sever]\n", 'did you mean \\"server\\"'),
        ("[remotes.slow\n", "not TOML"),
        (None, "cannot read"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason_and_everything_stays(running, bad, said):
    server, port, path = running
    if bad is None:
        path.unlink()
    else:
        path.write_text(bad)
    page = _reload(server, port, "refused")
    assert page.value("voxgate_config_good") == 0
    (line,) = _lines(server, "is refused, the old one stays")
    assert said in line
    assert _names(server) == ["slow"]
    path.write_text(server_table() + SLOW.format(ms=60))
    assert _reload(server, port, "unchanged").value("voxgate_config_good") == 1


def test_a_file_that_is_watched_is_read_when_it_changes_and_other_settings_wait_for_a_restart(tmp_path):
    path = tmp_path / "voxgate.toml"
    path.write_text(server_table(config_watch_s=0.2) + SLOW.format(ms=0))
    with server_process("voxgate_volume", path, tmp_path / "log") as server:
        port = _metrics_port(server)
        path.write_text(server_table(config_watch_s=0.2, workers=3) + '[remotes.other]\nuri = "procedural://"\n')
        page = scraped_until(
            port, lambda page: page.value("voxgate_config_reloads_total", outcome="applied"), patience_s=60
        )
        assert _names(server) == ["other"]
        assert page.value("voxgate_config_restart_needed") == 1
        assert any('"workers"' in line for line in _lines(server, "hold after a restart only"))


def test_many_readers_notice_nothing_but_the_change_while_the_file_is_read_again_and_again(running):
    server, port, path = running
    ended, wrong = threading.Event(), []

    def read():
        with connect(server.address) as client:
            expected = client.volume("slow/em").read(BOX)
            while not ended.is_set():
                if not np.array_equal(client.volume("slow/em").read(BOX), expected):
                    wrong.append("other voxels")

    def guarded():
        try:
            read()
        except Exception as error:  # noqa: BLE001  (whatever it is, the test fails by it)
            wrong.append(error)

    readers = [threading.Thread(target=guarded) for _ in range(3)]
    for reader in readers:
        reader.start()
    for index in range(6):
        path.write_text(server_table() + SLOW.format(ms=index))
        _reload(server, port, "applied")
    ended.set()
    for reader in readers:
        reader.join(60)
    assert wrong == []


MADE = 'options = {{ latency_ms = {ms}, size = "300,260,140", offset = "-7,11,900", chunk = "32,16,8" }}\n'


def test_a_job_goes_on_while_its_source_is_configured_anew_and_a_remote_comes(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = tmp_path / "voxgate.toml"

    def remotes(ms):
        made = '[remotes.made]\nuri = "procedural://"\n' + MADE.format(ms=ms)
        return f'{server_table(job_threads=1)}{made}[remotes.scratch]\nuri = "{scratch.as_uri()}"\nwritable = true\n'

    path.write_text(remotes(2000))
    log = tmp_path / "log"
    command = [*VOXGATE, "serve", "--config", str(path), *FREE_PORTS]
    with announcing(command, log) as (process, started), connect(started["grpc"]) as client:
        server = SimpleNamespace(process=process, log=log)
        handle = client.transfer("made/seg", "scratch/copy", scales=[0])
        begun = next(job for job in handle.watch(120) if job.progress.done_block_count or job.state.is_terminal)
        assert not begun.state.is_terminal
        path.write_text(remotes(0) + '[remotes.other]\nuri = "procedural://"\n')
        _reload(server, _metrics_port(server), "applied")
        assert not handle.refresh().state.is_terminal
        assert handle.result(120).destination == "scratch/copy"
        assert handle.job.run_count == 1
    registry = Registry.from_config(parse_remotes(load_configuration(path, {}).remotes, tmp_path))
    copy, made = registry.open("scratch/copy"), registry.open("made/seg")
    bounds = made.info.scales[0].bounds
    np.testing.assert_array_equal(copy.read(bounds), made.read(bounds))
