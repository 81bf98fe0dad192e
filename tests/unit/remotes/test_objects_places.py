"""What an operator states about a store that is not on this machine, and what is said when it cannot be meant."""

import sys

import pytest

from support.emulators import GCS_URL, gcs_emulator, s3_emulator
from support.scripted_http import reply, scripted
from voxgate.model.errors import ConfigInvalid, StoreAccessDenied, StoreRefused, UnknownVolume
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import CredentialsConfig, RemoteConfig, RemotesConfig, canonical_uri
from voxgate_remotes.objects import ObjectsRemote
from voxgate_remotes.objects.failures import words_in
from voxgate_remotes.objects.listing import GcsListing, GoogleTokens
from voxgate_remotes.objects.places import place_of
from voxgate_remotes.registry import Registry


def config(uri, token=None, **options):
    return RemoteConfig(uri=uri, options=options, credentials=CredentialsConfig(token=token))


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        ("s3://", {}, "names no bucket"),
        ("s3://a b", {}, "names no bucket"),
        ("s3://key:secret@lab/x", {}, "has a user"),
        ("gs://user@lab/x", {}, "has a user"),
        ("https://user:secret@host/x", {}, "has a user"),
        ("s3://lab/x?versionId=3", {}, "names no bucket"),
        ("s3://lab/../other", {}, "dot segments"),
        ("https://host/a/../b", {}, "dot segments"),
        ("s3://lab", {"endpiont": "https://minio"}, "no option 'endpiont'"),
        ("s3://lab", {"endpoint": "minio.lab:9000"}, "no server's address"),
        ("s3://lab", {"endpoint": "https://minio/path"}, "no server's address"),
        ("s3://lab", {"endpoint": "https://a:b@minio"}, "has a user"),
        ("s3://lab", {"anonymous": "yes"}, "cannot be 'yes'"),
        ("s3://lab", {"anonymous": True, "profile": "lab"}, "contradict"),
        ("gs://lab", {"endpoint": "http://127.0.0.1:1"}, "no option 'endpoint'"),
        ("gs://lab", {"region": "eu"}, "no option 'region'"),
        ("https://host", {"anonymous": True}, "no option 'anonymous'"),
        ("https://host", {"believed_s": -1}, "cannot be -1"),
    ],
)
def test_what_cannot_be_meant_is_said_at_once(uri, options, message):
    with pytest.raises(ConfigInvalid, match=message) as told:
        ObjectsRemote(config(uri, **options))
    assert "secret" not in str(told.value)


def test_another_server_for_gcs_is_the_processes_business():
    with pytest.raises(ConfigInvalid, match=GCS_URL):
        ObjectsRemote(config("gs://lab", endpoint="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("uri", "remedy"), [("s3://lab", "AWS_ACCESS_KEY_ID"), ("gs://lab", "GOOGLE_APPLICATION_CREDENTIALS")]
)
def test_buckets_take_no_token(uri, remedy):
    with pytest.raises(ConfigInvalid, match=remedy) as told:
        ObjectsRemote(config(uri, token="s3cret"))
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("options", "environment", "credentials"),
    [
        ({"anonymous": True}, True, {"type": "anonymous"}),
        ({"profile": "lab"}, True, {"type": "profile", "profile": "lab"}),
        ({}, True, {"type": "environment"}),
        ({}, False, {"type": "default"}),
    ],
)
def test_who_asks_s3_is_stated_to_the_driver(monkeypatch, options, environment, credentials):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x") if environment else monkeypatch.delenv("AWS_ACCESS_KEY_ID", False)
    spec = place_of(config("s3://lab/em data/", **options)).source().kvstore("a/")
    assert spec["aws_credentials"] == credentials
    assert (spec["bucket"], spec["path"]) == ("lab", "em data/a/")


def test_merging_is_taken_for_granted_where_it_is_documented():
    said = {"endpoint": "https://minio", "conditional_writes": True}
    assert [
        place_of(config(uri, **options)).merges_safely
        for uri, options in [
            ("s3://lab", {}),
            ("gs://lab", {}),
            ("s3://lab", {"endpoint": "https://minio"}),
            ("s3://lab", said),
            ("gs://lab", {"conditional_writes": False}),
        ]
    ] == [True, True, False, True, False]


def test_uris_of_these_stores_name_volumes():
    remotes = {"web": RemoteConfig(uri="https://host:8443/data"), "bucket": RemoteConfig(uri="s3://lab/em")}
    registry = Registry.from_config(RemotesConfig(remotes=remotes))
    assert registry.resolve("precomputed://https://host:8443/data/fib%2025/seg") == ("web/fib%2025/seg", "")
    assert registry.resolve("zarr3://s3://lab/em/one.zarr") == ("bucket/one.zarr", "")
    assert canonical_uri("precomputed://gs://lab/em", None) == "gs://lab/em"


@pytest.fixture
def _without_extras(monkeypatch):
    for name in ("obstore", "obstore.store", "google.auth"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("_without_extras")
def test_listing_without_its_libraries_names_the_extra(monkeypatch):
    with pytest.raises(ConfigInvalid, match=r"voxgate-remotes\[objects\]"):
        place_of(config("s3://lab")).listing.level("", CallContext())
    monkeypatch.delenv(GCS_URL, raising=False)
    with pytest.raises(ConfigInvalid, match=r"voxgate-remotes\[objects\]"):
        place_of(config("gs://lab")).listing.level("", CallContext())


def test_a_profile_without_keys_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = a\naws_secret_access_key = verysecret\n")
    with pytest.raises(ConfigInvalid, match="profile 'lab'") as told:
        place_of(config("s3://lab", profile="lab")).listing.level("", CallContext())
    assert "verysecret" not in str(told.value)


def test_a_bucket_is_listed_with_the_keys_of_a_profile(tmp_path, monkeypatch):
    with s3_emulator(tmp_path / "log") as emulator:
        (tmp_path / "files/em/deep").mkdir(parents=True)
        (tmp_path / "files/em/deep/x").write_bytes(b"x")
        emulator.upload(tmp_path / "files", "lab")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key = b\n")
        level = place_of(emulator.config("lab", options={"profile": "lab"})).listing.level("em/", CallContext())
        assert (level.folders, level.has_objects) == (("deep",), False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.setenv(name, "x")


def test_a_bucket_of_many_pages_is_listed_whole(tmp_path):
    pages = [
        b'{"prefixes": ["em/b/"], "nextPageToken": "two"}',
        b'{"prefixes": ["em/a/"], "items": [{"name": "em/x"}]}',
    ]
    with scripted([reply(200, page) for page in pages]) as server:
        listing = GcsListing(server.url, "lab", "em/", lambda: "s3cret")
        level = listing.level("", CallContext())
        assert (level.folders, level.has_objects) == (("a", "b"), True)
        assert "s3cret" not in repr(listing)
        first, second = (server.wait_for_request() for _ in pages)
        assert first.headers["authorization"] == "Bearer s3cret"
        assert "pageToken=two" in second.target


@pytest.mark.parametrize(("status", "error"), [(403, StoreAccessDenied), (404, UnknownVolume), (400, StoreRefused)])
def test_what_google_says_of_a_listing_is_repeated(status, error):
    with scripted([reply(status, b'{"error": {"message": "lab has no storage.objects.list access"}}')]) as server:
        with pytest.raises(error, match=r"storage\.objects\.list|no such bucket"):
            GcsListing(server.url, "lab", "", lambda: "").level("", CallContext())


def test_without_googles_credentials_nothing_is_signed(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert GoogleTokens()() == ""


def test_googles_credentials_are_not_sent_to_another_server(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "no such file"))
    with gcs_emulator(tmp_path / "log") as emulator:
        level = place_of(emulator.config()).listing.level("", CallContext())
        assert level.folders == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PERMISSION_DENIED: Error reading http://10.1.2.3/em/c/0: Forbidden [HTTP code 403] [http_response_body='x']",
         "Forbidden"),
        ("ABORTED: Error reading s3://lab/em/info: All 5 retry attempts failed: SlowDown: Reduce your request rate. "
         "[http_response_code='503'] [x-amzn-requestid='it\\'s']", "SlowDown: Reduce your request rate."),
        ("Error opening \"zarr3\" driver: Error reading \"secret/path\": ExpiredToken: The token has expired.",
         "ExpiredToken: The token has expired."),
    ],
)  # fmt: skip
def test_of_a_drivers_message_the_stores_words_are_left(text, words):
    assert words_in(text) == words
