import base64
import http.server
import json
import ssl
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.certificates import certificate
from voxgate.model.errors import ConfigInvalid, Unauthenticated, Unavailable
from voxgate_serving.auth.jwts import Expected, WebTokens
from voxgate_serving.auth.keys import FetchedKeys, FileKeys, parse_keys
from voxgate_serving.auth.principals import Principal

CURVE = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
EXPECTED = Expected("https://login.example", ["voxgate"], ["ES256", "RS256"], leeway_s=5)


def jwk(key, kid, algorithm):
    kind = jwt.algorithms.ECAlgorithm if algorithm.startswith("ES") else jwt.algorithms.RSAAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "alg": algorithm, "use": "sig"}


KEYS = {"keys": [jwk(CURVE, "one", "ES256"), jwk(RSA, "two", "RS256")]}


def claims(**changed):
    now = int(time.time())
    said = {"sub": "ada", "iss": EXPECTED.issuer, "aud": "voxgate", "exp": now + 300, "groups": ["lab", 5], **changed}
    return {name: value for name, value in said.items() if value is not None}


def signed(said=None, key=CURVE, algorithm="ES256", kid="one"):
    return jwt.encode(said or claims(), key, algorithm, headers={"kid": kid} if kid else {})


@pytest.fixture
def tokens(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    return WebTokens(EXPECTED, FileKeys(tmp_path / "keys.json"))


def cause_of(tokens, token):
    with pytest.raises(Unauthenticated) as refused:
        tokens.principal(token)
    assert token not in str(refused.value)
    return refused.value.details["cause"]


def test_a_token_of_the_issuer_proves_its_subject_and_groups(tokens):
    expected = Principal("ada", frozenset(("lab",)), "jwt")
    assert tokens.principal(signed()) == expected
    assert tokens.principal(signed(key=RSA, algorithm="RS256", kid="two")) == expected
    assert tokens.principal(signed(kid="")) == expected  # the only key for its algorithm
    assert tokens.principal(signed(claims(aud=["other", "voxgate"]))) == expected


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"exp": 1_600_000_000}, "TOKEN_EXPIRED"),
        ({"nbf": 4_000_000_000}, "TOKEN_NOT_YET_VALID"),
        ({"aud": "somebody"}, "WRONG_AUDIENCE"),
        ({"iss": "https://evil.example"}, "WRONG_ISSUER"),
        ({"exp": None}, "INCOMPLETE_TOKEN"),
        ({"aud": None}, "INCOMPLETE_TOKEN"),
        ({"iss": None}, "INCOMPLETE_TOKEN"),
        ({"sub": None}, "INCOMPLETE_TOKEN"),
        ({"sub": "anonymous"}, "NO_NAME"),
        ({"sub": "a b"}, "NO_NAME"),
    ],
)
def test_a_token_that_says_something_else_proves_nothing(tokens, changed, cause):
    assert cause_of(tokens, signed(claims(**changed))) == cause


def test_a_token_without_a_signature_proves_nothing(tokens):
    assert cause_of(tokens, jwt.encode(claims(), None, "none")) == "INVALID_TOKEN"
    assert cause_of(tokens, signed().rpartition(".")[0] + ".") == "INVALID_TOKEN"


def test_a_token_signed_by_another_key_or_algorithm_proves_nothing(tokens):
    assert cause_of(tokens, signed(key=OTHER)) == "INVALID_TOKEN"
    assert cause_of(tokens, signed(key=OTHER, kid="three")) == "UNKNOWN_KEY"
    assert cause_of(tokens, signed(key=RSA, algorithm="RS256", kid="one")) == "UNKNOWN_KEY"
    assert cause_of(tokens, signed(key=RSA, algorithm="PS256", kid="two")) == "INVALID_TOKEN"


def test_the_public_key_taken_for_a_shared_secret_proves_nothing(tokens):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    import hashlib
    import hmac

    secret = CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = part({"alg": "HS256", "kid": "one"}) + b"." + part(claims())
    mark = base64.urlsafe_b64encode(hmac.new(secret, body, hashlib.sha256).digest()).rstrip(b"=")
    assert cause_of(tokens, (body + b"." + mark).decode()) == "INVALID_TOKEN"


@pytest.mark.parametrize("token", ["..", "a.b.c", "e30.e30.", "eyJhbGciOiJFUzI1NiIsImtpZCI6NX0.e30.x"])
def test_what_is_no_token_proves_nothing(tokens, token):
    assert cause_of(tokens, token) == "INVALID_TOKEN"


def test_keys_of_a_file_are_read_again_when_they_change(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk(OTHER, "old", "ES256")]}))
    tokens = WebTokens(EXPECTED, FileKeys(path))
    assert cause_of(tokens, signed()) == "UNKNOWN_KEY"
    path.write_text(json.dumps(KEYS))
    assert tokens.principal(signed()).name == "ada"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"keys": 5}', b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}']
)
def test_what_is_no_set_of_public_keys_is_refused(content):
    with pytest.raises(ConfigInvalid):
        parse_keys(content)


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers the keys, as often as it is told to."""

    def do_GET(self):
        self.server.asked += 1
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("location", "/keys")
            self.end_headers()
            return
        self.send_response(200 if self.server.is_up else 500)
        self.end_headers()
        self.wfile.write(json.dumps(KEYS).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def provider(tmp_path):
    mine = certificate(tmp_path / "ca")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mine.file, mine.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.asked, server.is_up, server.ca = 0, True, str(mine.authority)
    server.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_fetched_once_and_kept_while_their_server_is_away(provider):
    seconds = [0.0]
    keys = FetchedKeys(provider.url + "/keys", provider.ca, clock=lambda: seconds[0])
    tokens = WebTokens(EXPECTED, keys)
    assert [tokens.principal(signed()).name for _ in range(3)] == ["ada"] * 3
    assert provider.asked == 1
    for _ in range(5):  # who makes up keys does not make us ask for each
        assert cause_of(tokens, signed(kid="made-up")) == "UNKNOWN_KEY"
    assert provider.asked == 1
    seconds[0] = 11.0
    assert cause_of(tokens, signed(kid="made-up")) == "UNKNOWN_KEY"
    assert provider.asked == 2
    provider.is_up = False
    seconds[0] = 1000.0
    assert tokens.principal(signed()).name == "ada"
    assert provider.asked == 3
    seconds[0] = 5000.0
    with pytest.raises(Unavailable) as refused:
        tokens.principal(signed())
    assert refused.value.retry_after_s


def test_a_server_of_keys_that_is_not_believed_or_sends_elsewhere_lets_nobody_in(provider):
    for url, ca in ((provider.url + "/keys", ""), (provider.url + "/elsewhere", provider.ca)):
        with pytest.raises(Unavailable):
            WebTokens(EXPECTED, FetchedKeys(url, ca)).principal(signed())
