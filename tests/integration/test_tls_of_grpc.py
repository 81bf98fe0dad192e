"""TLS of the gRPC port over real sockets: who gets in, what the others are told, and certificates that are renewed."""

import contextlib
import pickle
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

import voxgate
from support.array_volume import image
from support.certificates import Authority, put_in_place
from support.chains import chained_registry
from support.fakes import Hooked
from support.scraped import scraped, scraped_until
from support.servers import OneVolume, volume_server
from support.tls_sockets import der, shown
from voxgate.client.connection import connect
from voxgate.client.profile import Profile, save_profile
from voxgate.client.tls import Tls
from voxgate.model.errors import ConfigInvalid, ServerUnreachable, StoreUnavailable, TlsFailed
from voxgate_remotes.registry import Registry

VOXELS = image()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authorities") / "lab")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authorities") / "stranger")


def serve(own, volume=VOXELS, **stated):
    """A server that shows a certificate."""
    return volume_server(Registry({"lab": OneVolume(volume)}), tls_cert=str(own.file), tls_key=str(own.key), **stated)


def tls_of(own, client=None):
    files = (str(client.file), str(client.key)) if client else ("", "")
    return Tls(str(own.authority), *files)


@pytest.fixture(scope="module")
def open_to_all(lab):
    with serve(lab.sign("open")) as server:
        yield server


@pytest.fixture(scope="module")
def closed(lab):
    """A server that lets in who has a certificate of the lab's."""
    with serve(lab.sign("closed"), tls_client_ca=str(lab.file)) as server:
        yield server


def check_reads(client):
    np.testing.assert_array_equal(np.asarray(client.volume("lab/volume")), np.asarray(voxgate.VolumeArray(VOXELS)))


def refused(address, tls):
    with pytest.raises(TlsFailed) as caught:
        connect(address, tls=tls)
    assert caught.value.remedy
    assert address in caught.value.message
    return caught.value.details["tls"]


@pytest.mark.parametrize("form", ["a file", "everything"])
def test_who_believes_the_authority_reads_the_voxels(open_to_all, lab, form):
    with connect(open_to_all.address, tls=str(lab.file) if form == "a file" else Tls(str(lab.file))) as client:
        check_reads(client)


def test_a_client_out_of_a_pickle_speaks_tls_too(open_to_all, lab):
    with connect(open_to_all.address, tls=Tls(str(lab.file))) as client:
        written = pickle.dumps(client)
    with pickle.loads(written) as again:
        check_reads(again)


def test_the_environment_says_how_to_speak_tls_unless_the_caller_does(open_to_all, lab, monkeypatch):
    monkeypatch.setenv("VOXGATE_CA_FILE", str(lab.file))
    with connect(open_to_all.address) as client:
        check_reads(client)
    assert refused(open_to_all.address, False) == "SPEAKS_TLS"
    monkeypatch.setenv("VOXGATE_TLS", "0")
    assert refused(open_to_all.address, None) == "SPEAKS_TLS"
    monkeypatch.setenv("VOXGATE_TLS", "maybe")
    with pytest.raises(ConfigInvalid, match="VOXGATE_TLS"):
        connect(open_to_all.address)


def test_the_profile_says_how_to_speak_tls_with_its_own_server_alone(open_to_all, closed, lab, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    save_profile(Profile(open_to_all.address, tls=Tls(str(lab.file))))
    with connect() as client:
        check_reads(client)
    assert refused(closed.address, None) == "SPEAKS_TLS"


def test_who_has_a_certificate_of_the_authority_is_let_in(closed, lab):
    ada = lab.sign("ada", "ada@lab.example", common_name="Ada")
    with connect(closed.address, tls=tls_of(ada, ada)) as client:
        check_reads(client)


def test_who_has_none_or_one_of_a_stranger_or_an_expired_one_is_refused_and_told(closed, lab, stranger):
    own = lab.sign("ada")
    assert refused(closed.address, tls_of(own)) == "NO_CLIENT_CERTIFICATE"
    assert refused(closed.address, tls_of(own, stranger.sign("eve"))) == "CLIENT_CERTIFICATE_REFUSED"
    assert refused(closed.address, tls_of(own, lab.sign("bob", hours=(-3, -1)))) == "CLIENT_CERTIFICATE_REFUSED"


@pytest.mark.parametrize(
    ("names", "hours", "trouble"),
    [(("elsewhere.example",), (-1, 9), "OTHER_NAME"), ((), (1, 9), "NOT_YET"), ((), (-9, -1), "EXPIRED")],
)
def test_a_server_with_the_wrong_certificate_is_told_from_one_that_does_not_answer(lab, names, hours, trouble):
    wrong = lab.sign("wrong", *names, hours=hours)
    # Our own server shows nothing that does not hold; another might.
    with bare_server(wrong) as port:
        assert refused(f"localhost:{port}", tls_of(wrong)) == trouble


@contextlib.contextmanager
def bare_server(own):
    server = grpc.server(ThreadPoolExecutor(2))
    pair = [(own.key.read_bytes(), own.file.read_bytes())]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def test_a_name_that_is_in_the_certificate_may_be_stated(lab):
    own = lab.sign("named", "voxels.lab.example")
    with serve(own) as server, connect(server.address, tls=Tls(str(lab.file), server_name="voxels.lab.example")) as one:
        check_reads(one)


def test_an_authority_that_is_not_believed_and_a_client_without_tls_are_told(open_to_all, stranger):
    assert refused(open_to_all.address, str(stranger.file)) == "UNKNOWN_AUTHORITY"
    assert refused(open_to_all.address, True) == "UNKNOWN_AUTHORITY"
    assert refused(open_to_all.address, False) == "SPEAKS_TLS"


def test_tls_with_a_server_that_speaks_none_is_told(lab):
    with volume_server(Registry({"lab": OneVolume(VOXELS)})) as plain:
        assert refused(plain.address, str(lab.file)) == "SPEAKS_NO_TLS"


def test_a_port_where_nobody_listens_is_no_trouble_of_tls(lab):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ServerUnreachable) as caught:
            connect(f"localhost:{taken.getsockname()[1]}", tls=str(lab.file))
    assert not isinstance(caught.value, TlsFailed)


def test_files_that_cannot_be_used_are_refused_before_anybody_is_asked(lab, stranger, tmp_path):
    own, other = lab.sign("own"), stranger.sign("other")
    for wrong in (
        Tls(str(tmp_path / "nothing.pem")),
        Tls(str(own.key)),
        Tls(str(lab.file), str(own.file)),
        Tls(str(lab.file), str(own.file), str(other.key)),
    ):
        with pytest.raises(ConfigInvalid):
            connect("localhost:1", tls=wrong)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_versions_before_1_2_are_refused(open_to_all, lab):
    old = ssl.create_default_context(cafile=lab.file)
    old.set_alpn_protocols(["h2"])
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", open_to_all.port), 30) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(raw, server_hostname="localhost")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", open_to_all.port), 30) as raw:
        assert old.wrap_socket(raw, server_hostname="localhost").version() == "TLSv1.2"


def test_a_stream_lives_through_a_renewal_and_who_comes_next_sees_the_new_certificate(lab):
    own = lab.sign("renewed")
    reading, may_go_on = threading.Event(), threading.Event()

    def wait(_box):
        reading.set()
        assert may_go_on.wait(60)

    with (
        serve(own, Hooked(VOXELS, before=wait), metrics_port=0) as server,
        connect(server.address, tls=tls_of(own)) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        before = der(own)
        assert shown(server.port, own) == before
        answer = beside.submit(lambda: np.asarray(client.volume("lab/volume")))
        assert reading.wait(60)
        put_in_place(lab.sign("next"), own)
        assert der(own) != before
        assert shown(server.port, own) == der(own)
        may_go_on.set()
        np.testing.assert_array_equal(answer.result(60), np.asarray(voxgate.VolumeArray(VOXELS)))
        page = scraped(server.metrics_port)
        assert page.value("voxgate_tls_reloads_total", endpoint="grpc", outcome="applied") == 1
        assert page.value("voxgate_tls_good", endpoint="grpc") == 1


def test_a_bad_new_certificate_changes_nothing_and_is_counted_until_a_good_one_comes(lab, stranger):
    own = lab.sign("spoiled")
    with serve(own, metrics_port=0) as server:
        good = der(own)
        own.file.write_text("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")
        assert shown(server.port, own) == good
        page = scraped(server.metrics_port)
        assert page.value("voxgate_tls_reloads_total", endpoint="grpc", outcome="refused") == 1
        assert page.value("voxgate_tls_good", endpoint="grpc") == 0
        # Half of a pair: the key is still that of the one before.
        own.file.write_bytes(stranger.sign("half").file.read_bytes())
        assert shown(server.port, own) == good
        put_in_place(lab.sign("good"), own)
        assert shown(server.port, own) == der(own) != good
        scraped_until(server.metrics_port, lambda page: page.value("voxgate_tls_good", endpoint="grpc") == 1)


def test_an_authority_of_clients_that_is_exchanged_lets_the_old_ones_in_no_longer(lab, stranger, tmp_path):
    believed = tmp_path / "clients.pem"
    believed.write_bytes(lab.file.read_bytes())
    own, ada, eve = lab.sign("exchanged"), lab.sign("ada"), stranger.sign("eve")
    with serve(own, tls_client_ca=str(believed)) as server:
        with connect(server.address, tls=tls_of(own, ada)) as inside:
            check_reads(inside)
            assert refused(server.address, tls_of(own, eve)) == "CLIENT_CERTIFICATE_REFUSED"
            beside = tmp_path / "clients.new"
            beside.write_bytes("# die Schlüssel der anderen\n".encode() + stranger.file.read_bytes())
            beside.replace(believed)
            with connect(server.address, tls=tls_of(own, eve)) as client:
                check_reads(client)
            assert refused(server.address, tls_of(own, ada)) == "CLIENT_CERTIFICATE_REFUSED"
            # Who is connected stays so.
            check_reads(inside)


@pytest.mark.parametrize(
    ("stated", "key"),
    [
        ({"tls_cert": "{cert}"}, "server.tls.key"),
        ({"tls_client_ca": "{ca}"}, "server.tls.cert"),
        ({"tls_cert": "{cert}", "tls_key": "{other}"}, "server.tls.key"),
        ({"tls_cert": "{ca}", "tls_key": "{cert}"}, "server.tls.key"),
        ({"tls_cert": "{expired}", "tls_key": "{expired_key}"}, "server.tls.cert"),
        ({"tls_cert": "{cert}", "tls_key": "{key}", "tls_client_ca": "{key}"}, "server.tls.client_ca"),
        (
            {"tls_cert": "{cert}", "tls_key": "{key}", "tls_client_ca": "{ca}", "tls_require_client_cert": False},
            "server.tls.require_client_cert",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_server_does_not_start_with_files_that_cannot_be_used(lab, stranger, stated, key):
    own, expired = lab.sign("start"), lab.sign("expired", hours=(-3, -1))
    names = {"cert": own.file, "key": own.key, "ca": lab.file, "other": stranger.sign("other").key}
    names |= {"expired": expired.file, "expired_key": expired.key}
    told = {name: value.format(**names) if isinstance(value, str) else value for name, value in stated.items()}
    with (
        pytest.raises(ConfigInvalid) as caught,
        volume_server(Registry({"lab": OneVolume(VOXELS)}), **told),
    ):
        pass
    assert caught.value.details["key"] == key
    assert str(lab.folder) not in str(caught.value)


def test_a_chain_of_servers_speaks_tls_where_its_options_say_so(closed, lab, stranger):
    ada = lab.sign("chain")
    files = {"ca_file": str(lab.file), "cert_file": str(ada.file), "key_file": str(ada.key)}
    with (
        volume_server(chained_registry(closed.address, options=files)) as near,
        connect(near.address) as client,
    ):
        far = client.volume("next/lab/volume")
        np.testing.assert_array_equal(np.asarray(far), np.asarray(voxgate.VolumeArray(VOXELS)))
    with (
        volume_server(chained_registry(closed.address, options={"ca_file": str(stranger.file)})) as near,
        connect(near.address) as client,
        pytest.raises(StoreUnavailable, match="TLS"),
    ):
        client.volume("next/lab/volume")
