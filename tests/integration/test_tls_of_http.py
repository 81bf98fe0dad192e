"""TLS of the HTTP port, and of the way from a gateway to the services, over real sockets."""

import contextlib
import os
import socket
import ssl
import stat
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import voxgate
from support.array_volume import image
from support.certificates import Authority, put_in_place
from support.rest import on
from support.scraped import scraped
from support.servers import SAMPLES, OneVolume, settings, volume_server
from support.tls_sockets import der, shown
from voxgate.client.connection import connect
from voxgate.model.errors import ConfigInvalid
from voxgate_gateway.process import GatewayProcess
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings, ServicesTlsSettings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_serving.tls import TlsFiles
from voxgate_standalone.suite import start_suite

REMOTES = RemotesConfig(remotes={"fib25": RemoteConfig(uri=(SAMPLES / "fib25").as_uri())})
EM = on("fib25/em", "info")
LISTED = b'{"parent":"lab"}'


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authorities") / "lab")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authorities") / "stranger")


def context_of(own, client=None):
    context = ssl.create_default_context(cafile=own.authority)
    if client is not None:
        context.load_cert_chain(client.file, client.key)
    return context


def status(url, own, client=None):
    return httpx.get(url, verify=context_of(own, client), timeout=60).status_code


@contextlib.contextmanager
def suite_with(own, *, gateway=None, own_process=False, **stated):
    told = settings(tls_cert=str(own.file), tls_key=str(own.key), **stated)
    suite = start_suite(REMOTES, told, gateway_settings=gateway, own_process=own_process)
    try:
        yield suite
    finally:
        suite.stop(1.0)


@contextlib.contextmanager
def gateway_over(address, **stated):
    gateway = Gateway(address, port=0, settings=GatewaySettings(**stated))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop(1.0)


def files_of(own, **more):
    return TlsFiles(str(own.file), str(own.key), **more)


def test_one_certificate_serves_both_ports_and_the_gateway_needs_none_of_its_own(lab):
    own, ada = lab.sign("own"), lab.sign("ada")
    with suite_with(own, tls_client_ca=str(lab.file)) as suite:
        assert suite.gateway.url.startswith("https://")
        assert status(f"{suite.gateway.url}{EM}", own, ada) == 200
        with connect(suite.server.address, tls=tls_of(own, ada)) as client:
            assert client.server_info().http_url == suite.gateway.url
        door = Path(suite.server.inner_address.removeprefix("unix:"))
        assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700
        assert door.parent.stat().st_uid == os.getuid()
    assert not door.parent.exists()


def tls_of(own, client):
    return ServicesTlsSettings(ca_file=str(own.authority), cert_file=str(client.file), key_file=str(client.key)).tls


def test_who_has_no_certificate_is_let_in_on_neither_port(lab, stranger):
    own = lab.sign("own")
    with suite_with(own, tls_client_ca=str(lab.file)) as suite:
        for client in (None, stranger.sign("eve")):
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                status(f"{suite.gateway.url}/healthz", own, client)
            with pytest.raises(httpx.TransportError):
                httpx.get(suite.gateway.url.replace("https:", "http:"), timeout=60)


def test_a_gateway_may_ask_for_a_certificate_and_do_without(lab, stranger):
    own = lab.sign("asking")
    with gateway_over("localhost:1", tls=files_of(own, client_ca=str(lab.file), require_client_cert=False)) as gateway:
        assert status(f"{gateway.url}/healthz", own) == 200
        assert status(f"{gateway.url}/healthz", own, lab.sign("ada")) == 200
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            status(f"{gateway.url}/healthz", own, stranger.sign("eve"))


def test_a_connection_lives_through_a_renewal_and_the_next_one_sees_the_new_certificate(lab):
    own = lab.sign("renewed")
    with (
        gateway_over("localhost:1", tls=files_of(own), metrics_port=0) as gateway,
        httpx.Client(base_url=gateway.url, verify=context_of(own), timeout=60) as kept,
    ):
        before = der(own)
        assert shown(gateway.port, own, alpn="http/1.1") == before
        assert kept.get("/healthz").status_code == 200
        put_in_place(lab.sign("next"), own)
        assert shown(gateway.port, own, alpn="http/1.1") == der(own) != before
        assert kept.get("/healthz").status_code == 200
        own.key.write_text("nothing")
        assert shown(gateway.port, own, alpn="http/1.1") == der(own)
        page = scraped(gateway.metrics_port)
        for outcome in ("applied", "refused"):
            assert page.value("voxgate_tls_reloads_total", endpoint="http", outcome=outcome) == 1
        assert page.value("voxgate_tls_good", endpoint="http") == 0
        assert page.value("voxgate_tls_certificate_expiry_time_seconds", endpoint="http") > time.time()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_authority_of_clients_that_is_exchanged_lets_the_old_ones_in_no_longer(lab, stranger, tmp_path, version):
    own, ada, eve = lab.sign("exchanged"), lab.sign("ada"), stranger.sign("eve")
    believed = tmp_path / "clients.pem"
    believed.write_bytes(lab.file.read_bytes())
    contexts = {"ada": context_of(own, ada), "eve": context_of(own, eve)}
    for context in contexts.values():
        context.maximum_version = version

    def gets_in(who):
        # One context for all of a client's connections, so that it could take up a session.
        try:
            return httpx.get(f"{gateway.url}/healthz", verify=contexts[who], timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    with gateway_over("localhost:1", tls=files_of(own, client_ca=str(believed))) as gateway:
        assert (gets_in("ada"), gets_in("eve")) == (True, False)
        beside = tmp_path / "clients.new"
        beside.write_bytes("# die Schlüssel der anderen\n".encode() + stranger.file.read_bytes())
        beside.replace(believed)
        assert (gets_in("ada"), gets_in("eve")) == (False, True)


def test_a_gateway_in_a_process_of_its_own_reads_the_files_anew_and_speaks_tls_again_after_it_was_killed(lab):
    own = lab.sign("child")
    with suite_with(own, own_process=True) as suite:
        gateway = suite.gateway
        assert isinstance(gateway, GatewayProcess)
        assert status(f"{gateway.url}{EM}", own) == 200
        put_in_place(lab.sign("next"), own)
        assert shown(gateway.port, own, alpn="http/1.1") == der(own)
        os.kill(gateway.pid, 9)
        # Who connects meanwhile waits in the queue of the socket, whose handshake the next child makes; a call that the
        # dying one had taken is lost with it.
        assert any_of_several(lambda: status(f"{gateway.url}{EM}", own) == 200)


def any_of_several(attempt, patience_s=60.0):
    until = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(httpx.TransportError):
            return attempt()
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_gateway_is_not_started_with_files_that_cannot_be_used(lab, stranger, tmp_path):
    own = lab.sign("own")
    wrong = replace(files_of(own), key=str(stranger.sign("other").key))
    for made in (Gateway, GatewayProcess):
        with pytest.raises(ConfigInvalid, match=r"gateway\.tls\.key"):
            made("localhost:1", port=0, settings=GatewaySettings(tls=wrong))
    nothing = ServicesTlsSettings(ca_file=str(tmp_path / "nothing.pem"))
    with pytest.raises(ConfigInvalid, match="cannot read"):
        Gateway("localhost:1", port=0, settings=GatewaySettings(services_tls=nothing))


def test_a_gateway_of_its_own_shows_its_certificate_to_the_services(lab, stranger):
    own, gate = lab.sign("services"), lab.sign("gate")
    files = {"tls_cert": str(own.file), "tls_key": str(own.key), "tls_client_ca": str(lab.file)}
    told = ServicesTlsSettings(ca_file=str(lab.file), cert_file=str(gate.file), key_file=str(gate.key))
    with volume_server(Registry({"lab": OneVolume(image())}), **files) as server:
        with gateway_over(server.address, services_tls=told) as gateway:
            assert httpx.get(f"{gateway.url}{on('lab/volume', 'info')}", timeout=60).status_code == 200
            assert forwarded(gateway).status_code == 200
        for wrong in (replace(told, ca_file=str(stranger.file)), ServicesTlsSettings()):
            with gateway_over(server.address, services_tls=wrong) as gateway:
                answer = httpx.get(f"{gateway.url}/readyz", timeout=60)
                assert answer.status_code == 503
                assert "do not agree on TLS" in answer.text
                assert str(stranger.file) not in answer.text
                assert forwarded(gateway).status_code == 503


def forwarded(gateway):
    """A call over HTTP that is passed on as it is."""
    address = f"{gateway.url}/voxgate.v1.VolumeService/ListVolumes"
    return httpx.post(address, content=LISTED, headers={"content-type": "application/json"}, timeout=60)


def test_a_volume_opened_in_this_process_needs_no_tls_whatever_the_environment_says(lab, monkeypatch):
    monkeypatch.setenv("VOXGATE_TLS_CERT", "/nowhere/a.pem")
    monkeypatch.setenv("VOXGATE_CA_FILE", str(lab.file))
    assert voxgate.open(str(SAMPLES / "aniso" / "seg")).shape


def test_what_is_no_tls_ends_and_leaves_the_next_caller_alone(lab):
    own = lab.sign("own")
    with gateway_over("localhost:1", tls=files_of(own)) as gateway:
        for data in (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70), bytes(1000)):
            with socket.create_connection(("127.0.0.1", gateway.port), 60) as raw, contextlib.suppress(ConnectionError):
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        assert status(f"{gateway.url}/healthz", own) == 200
