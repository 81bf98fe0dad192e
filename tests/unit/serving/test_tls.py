"""Which files a listener's TLS is made of, and who a peer is by its certificate; no server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from cryptography.hazmat.primitives import serialization as forms

from support.certificates import Authority
from voxgate.model.errors import ConfigInvalid
from voxgate_serving.command import parse_arguments
from voxgate_serving.peers import PeerIdentity, peer_identity
from voxgate_serving.settings import load_configuration, parse_server
from voxgate_serving.tls import LiveCertificate, TlsFiles, load_certificate

SHOWN = {"transport_security_type": [b"ssl"], "x509_pem_cert": [b"-----BEGIN CERTIFICATE-----"]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authorities") / "lab")


@pytest.mark.parametrize(
    "text",
    [
        '[server.tls]\ncert = "a.pem"\nkey = "keys/a.pem"\n',
        '[server]\ntls_cert = "a.pem"\ntls_key = "keys/a.pem"\n',
    ],
)
def test_files_are_beside_the_configuration_that_names_them(tmp_path, text):
    path = tmp_path / "voxgate.toml"
    path.write_text(text)
    assert load_configuration(path, {}).server.tls == TlsFiles(str(tmp_path / "a.pem"), str(tmp_path / "keys/a.pem"))


def test_a_whole_path_is_taken_as_it_is_and_the_command_line_and_environment_are_stronger(tmp_path, monkeypatch):
    path = tmp_path / "voxgate.toml"
    path.write_text('[server.tls]\ncert = "/etc/a.pem"\nkey = "a-key.pem"\nclient_ca = "/etc/ca.pem"\n')
    monkeypatch.setenv("VOXGATE_TLS_KEY", "of-environment.pem")
    told = load_configuration(path, {"tls_client_ca": "of-command.pem"}).server.tls
    assert told == TlsFiles("/etc/a.pem", "of-environment.pem", "of-command.pem")


def test_a_service_takes_the_files_on_its_command_line():
    configuration, overrides = parse_arguments("x", ["--tls-cert", "a", "--tls-key", "b", "--tls-client-ca", "c"])
    assert configuration.server.tls == TlsFiles("a", "b", "c")
    # They stay stronger when the file is read again.
    assert {"tls_cert", "tls_key", "tls_client_ca"} <= set(overrides)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"tls": {"certificate": "a"}}, "server.tls.certificate"),
        ({"tls": "a.pem"}, "server.tls"),
        ({"tls": {"cert": "a", "key": "b"}, "tls_cert": "c"}, "server.tls.cert"),
        ({"tls": {"cert": "a"}}, "server.tls.key"),
        ({"tls": {"client_ca": "a"}}, "server.tls.cert"),
        (
            {"tls": {"cert": "a", "key": "b", "client_ca": "c", "require_client_cert": False}},
            "server.tls.require_client_cert",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_by_its_key(table, key):
    with pytest.raises(ConfigInvalid) as caught:
        parse_server(table, {})
    assert caught.value.details["key"] == key


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(lab, tmp_path):
    own = lab.sign("own")
    key = forms.load_pem_private_key(own.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    secret = forms.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, secret))
    with pytest.raises(ConfigInvalid, match="password"):
        load_certificate(TlsFiles(str(own.file), str(locked)), "server.tls")


def test_a_certificate_that_fails_is_looked_at_again_only_when_its_files_change_or_after_a_while(lab, monkeypatch):
    own = lab.sign("early")
    live = LiveCertificate(TlsFiles(str(own.file), str(own.key)), "server.tls", "grpc")
    before = live.current()
    lab.sign("early", hours=(1, 2))
    loads = []
    monkeypatch.setattr(
        "voxgate_serving.tls.load_certificate", lambda *told: loads.append(told) or load_certificate(*told)
    )
    assert live.current() is before
    assert live.current() is before
    assert len(loads) == 1
    monkeypatch.setattr("voxgate_serving.tls._AGAIN_S", 0.0)
    assert live.current() is before
    assert len(loads) == 2
    refused = {
        tuple(metric.labels.values()): metric.value for metric in live.metrics() if metric.name.endswith("_total")
    }
    assert refused == {("grpc", "applied"): 0, ("grpc", "refused"): 1}


def test_files_that_are_gone_for_a_moment_change_nothing(lab):
    own = lab.sign("gone")
    live = LiveCertificate(TlsFiles(str(own.file), str(own.key)), "server.tls", "grpc")
    before = live.current()
    own.key.unlink()
    assert live.current() is before
    lab.sign("gone")
    assert live.current().cert == own.file.read_bytes() != before.cert


def test_many_who_connect_at_once_see_whole_pairs(lab):
    own = lab.sign("many")
    live = LiveCertificate(TlsFiles(str(own.file), str(own.key)), "server.tls", "grpc")
    pairs, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            current = live.current()
            pairs.add((current.cert, current.key))

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    written = {(own.file.read_bytes(), own.key.read_bytes())}
    for _ in range(5):
        lab.sign("many")
        written.add((own.file.read_bytes(), own.key.read_bytes()))
    stop.set()
    for watcher in watchers:
        watcher.join(60)
    assert pairs <= written
    assert live.current().cert == own.file.read_bytes()


def test_a_peer_is_known_by_the_names_in_its_certificate():
    told = {
        **SHOWN,
        "x509_common_name": [b"Ada"],
        "peer_dns": [b"gpu7.lab.example", b"gpu8.lab.example"],
        "peer_uri": [b"spiffe://lab.example/mesh"],
        "peer_email": ["ädä@lab.example".encode()],
        "peer_ip": [b"10.0.0.7"],
    }
    expected = PeerIdentity(
        "Ada",
        ("gpu7.lab.example", "gpu8.lab.example"),
        ("spiffe://lab.example/mesh",),
        ("ädä@lab.example",),
        ("10.0.0.7",),
    )
    assert peer_identity(told) == expected
    assert expected.name == "spiffe://lab.example/mesh"
    assert PeerIdentity("Ada", dns=("gpu7",)).name == "gpu7"
    assert PeerIdentity("Ada").name == "Ada"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"transport_security_type": [b"insecure"], "x509_common_name": [b"root"], "x509_pem_cert": [b"x"]},
        {"transport_security_type": [b"ssl"]},
        {"transport_security_type": [b"ssl"], "x509_common_name": [b"root"]},
        {**SHOWN, "transport_security_type": [b"local"]},
    ],
)
def test_who_showed_no_certificate_is_nobody(told):
    assert peer_identity(told) is None


def test_a_name_with_a_nul_is_nobodys():
    told = {**SHOWN, "peer_dns": [b"admin\0.evil.example", b"gpu7"], "x509_common_name": [b"root\0x"]}
    assert peer_identity(told) == PeerIdentity("", ("gpu7",))


def test_grpc_tells_of_a_peer_in_the_keys_that_are_looked_for(lab):
    own, ada = (
        lab.sign("server"),
        lab.sign("ada", "ada@lab.example", "spiffe://lab.example/ada", "gpu7", common_name="Ada"),
    )
    seen = []

    class Asked(grpc.GenericRpcHandler):
        def service(self, _details):
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: seen.append(context.auth_context()) or b""
            )

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Asked(),))
    pair = [(own.key.read_bytes(), own.file.read_bytes())]
    secrets = grpc.ssl_server_credentials(pair, lab.file.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", secrets)
    server.start()
    files = (lab.file.read_bytes(), ada.key.read_bytes(), ada.file.read_bytes())
    try:
        with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(*files)) as channel:
            channel.unary_unary("/a/b")(b"", timeout=60)
    finally:
        server.stop(0).wait()
    assert peer_identity(seen[0]) == PeerIdentity("Ada", ("gpu7",), ("spiffe://lab.example/ada",), ("ada@lab.example",))
