"""A user of one remote tries every call of the contract against another's, over real sockets."""

import json

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from support.every_rpc import ABOUT_A_VOLUME, FILTERED, METHODS, OF_JOBS, called
from support.guarded import ABSENT, MINE, OPEN, THEIRS, guarded_suite
from support.volume_service import BOUNDS, ids, reason_of
from voxgate.client.connection import connect
from voxgate.model.errors import PermissionDenied, Unauthenticated, UnknownJob, UnknownRemote, UnknownVolume
from voxgate.v1 import job_pb2, transfer_pb2, types_pb2
from voxgate_serving.auth.audit import CHANGES
from voxgate_serving.auth.tokens import listed_tokens, revoke_token

DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
NOBODY = (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with guarded_suite(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="module")
def channel(guarded):
    with grpc.insecure_channel(guarded.address) as opened:
        yield opened


@pytest.fixture
def refusal(guarded, channel):
    """How a call of somebody's is refused: status, reason, and what is said, with the name left out."""

    def refused(method, request, who, name):
        with pytest.raises(grpc.RpcError) as told:
            called(channel, method, request, guarded.metadata(who))
        error = told.value
        return (error.code(), reason_of(error)), error.details().replace(name, "NAME")

    return refused


def test_every_method_of_the_contract_is_tried():
    assert set(ABOUT_A_VOLUME) | FILTERED | OF_JOBS == set(METHODS)


def test_every_method_that_changes_something_is_audited():
    looks = ("Get", "List", "Read", "Lookup", "Resolve", "Watch", "Export")
    changing = {f"voxgate.v1.{name}" for name in METHODS if not name.partition("/")[2].startswith(looks)}
    assert changing == CHANGES


@pytest.mark.parametrize("who", ["ada", ""])
@pytest.mark.parametrize("method", sorted(ABOUT_A_VOLUME))
def test_a_call_about_anothers_volume_is_refused_alike_whether_it_exists_or_not(guarded, refusal, method, who):
    told = set()
    for name in (THEIRS, ABSENT, "nowhere/lab/seg"):
        asked = (guarded.folder / name).as_uri() if method.endswith("/ResolveVolume") else name
        status, message = refusal(method, ABOUT_A_VOLUME[method](asked), who, name)
        told.add((status, message.replace(asked, "NAME")))
    expected = (DENIED if who else NOBODY)[:2]
    if method.endswith("/ResolveVolume"):
        expected = (grpc.StatusCode.NOT_FOUND, "UNKNOWN_REMOTE")
    assert {status for status, _ in told} == {expected}
    assert len(told) == 1


def test_a_reader_of_one_volume_changes_nothing_of_it(guarded, refusal):
    name = "theirs/shared/seg"
    for method in sorted(name for name in ABOUT_A_VOLUME if f"voxgate.v1.{name}" in CHANGES):
        with pytest.raises(grpc.RpcError) as told, grpc.insecure_channel(guarded.address) as channel:
            called(channel, method, ABOUT_A_VOLUME[method](name), guarded.metadata("eve"))
        allowed = {grpc.StatusCode.PERMISSION_DENIED}
        if method.partition("/")[2] in ("CommitVersion", "CreateVersion", "BranchVersion", "ReserveSegmentIds"):
            allowed.add(grpc.StatusCode.FAILED_PRECONDITION)  # files have none of these at all
        if method.endswith(("Metadata", "Downsampling")):
            allowed.add(grpc.StatusCode.FAILED_PRECONDITION)
        if method == "TransferService/CreateTransfer":
            assert reason_of(told.value) == "PERMISSION_DENIED"  # for the destination, which is ada's
        assert told.value.code() in allowed, method


def test_a_transfer_into_anothers_remote_is_refused_before_anything_is_made(guarded, refusal):
    for destination in (THEIRS, ABSENT):
        request = transfer_pb2.CreateTransferRequest(
            request_id="8f4b1f5e-0000-4000-8000-00000000000a",
            spec=types_pb2.TransferSpec(source=MINE, destination=destination),
        )
        status, _ = refusal("TransferService/CreateTransfer", request, "ada", destination)
        assert status == DENIED
    assert not (guarded.folder / ABSENT).exists()


@pytest.mark.parametrize("method", sorted(OF_JOBS))
def test_a_job_is_known_to_its_owner_and_to_administrators_only(guarded, channel, refusal, method):
    theirs = _job_of(guarded, "bob")
    requests = {name: job_pb2.__dict__[f"{method.partition('/')[2]}Request"](name=name) for name in (theirs, "no-job")}
    told = {refusal(method, request, "ada", name) for name, request in requests.items()}
    assert {status for status, _ in told} == {(grpc.StatusCode.NOT_FOUND, "UNKNOWN_JOB")}
    assert len(told) == 1
    assert refusal(method, requests[theirs], "", theirs)[0] == NOBODY
    for who in ("bob", "root"):
        if method.endswith("/ResumeJob"):  # it is known to them, and has succeeded
            assert refusal(method, requests[theirs], who, theirs)[0][0] is grpc.StatusCode.FAILED_PRECONDITION
        else:
            called(channel, method, requests[theirs], guarded.metadata(who))


def _job_of(guarded, who):
    """The name of a job of theirs, which copied their volume."""
    with connect(guarded.address, token=guarded.tokens[who]) as client:
        known = list(client.jobs())
        if known:
            return known[0].name
        job = client.transfer(THEIRS, "theirs/lab/copied")
        job.result(timeout_s=120)
        return job.name


def test_lists_show_what_their_caller_may_see(guarded):
    def seen(who):
        with connect(guarded.address, token=guarded.tokens.get(who)) as client:
            return {each.name for each in client.volumes()}, {each.name for each in client.remotes()}

    assert seen("ada") == ({"mine", "open"},) * 2
    assert seen("lin") == ({"mine", "open"},) * 2
    assert seen("bob") == ({"theirs", "open"},) * 2
    assert seen("root") == ({"mine", "theirs", "open"},) * 2
    assert seen("nobody") == ({"open"},) * 2
    with connect(guarded.address, token=guarded.tokens["eve"]) as client:
        assert [each.name for each in client.volumes("theirs")] == ["theirs/shared"]
        assert client.open("theirs/shared/seg").info.name == "theirs/shared/seg"
        with pytest.raises(PermissionDenied):
            client.volumes("theirs/lab")


def test_the_owner_writes_and_the_group_reads(guarded):
    voxels = ids(3)[None]
    with connect(guarded.address, token=guarded.tokens["ada"]) as client:
        client.open(MINE).write(BOUNDS, voxels)
    with connect(guarded.address, token=guarded.tokens["lin"]) as client:
        volume = client.open(MINE)
        assert (volume.read(BOUNDS) == voxels).all()
        with pytest.raises(PermissionDenied) as refused:
            volume.write(BOUNDS, voxels)
    assert refused.value.details == {"role": "write", "name": MINE}


def test_who_may_read_everything_is_told_what_is_not_there(guarded):
    with connect(guarded.address, token=guarded.tokens["root"]) as client:
        with pytest.raises(UnknownVolume):
            client.open(ABSENT)
        with pytest.raises(UnknownRemote):
            client.open("nowhere/lab")


def test_public_remotes_are_read_by_anyone_and_written_by_nobody(guarded):
    with connect(guarded.address) as client:
        assert client.open(OPEN).read(BOUNDS).shape == (1, *BOUNDS.shape.zyx)
        with pytest.raises(Unauthenticated) as refused:
            client.open(OPEN).write(BOUNDS, ids()[None])
    assert "token" in refused.value.remedy


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (["Bearer vxg_000000000000_nothing"], "UNKNOWN_TOKEN"),
        (["Basic YWRhOnNlY3JldA=="], "MALFORMED_CREDENTIALS"),
        (["Bearer"], "MALFORMED_CREDENTIALS"),
        (["Bearer a.b.c"], "UNKNOWN_TOKEN"),
        (["Bearer one", "Bearer two"], "MALFORMED_CREDENTIALS"),
    ],
)
def test_who_sends_what_proves_nothing_is_not_served_as_nobody(guarded, channel, sent, cause):
    metadata = tuple(("authorization", each) for each in sent)
    with pytest.raises(grpc.RpcError) as told:
        called(channel, "VolumeService/GetVolume", ABOUT_A_VOLUME["VolumeService/GetVolume"](OPEN), metadata)
    assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert cause.encode() in dict(told.value.trailing_metadata())["grpc-status-details-bin"]


def test_a_revoked_token_lets_nobody_in_any_more(guarded):
    path = guarded.folder / "tokens.toml"
    with connect(guarded.address, token=guarded.tokens["lin"]) as client:
        assert client.open(MINE).info.name == MINE
        revoke_token(path, next(each.id for each in listed_tokens(path) if each.name == "lin"))
        with pytest.raises(Unauthenticated, match="revoked"):
            client.open(MINE)


def test_reflection_is_for_who_proved_who_they_are(guarded, channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as told:
        list(stub.ServerReflectionInfo(iter([asked]), timeout=30))
    assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
    answers = list(stub.ServerReflectionInfo(iter([asked]), timeout=30, metadata=guarded.metadata("ada")))
    assert "voxgate.v1.VolumeService" in {each.name for each in answers[0].list_services_response.service}


def test_changes_done_and_refused_are_in_the_audit_log_and_no_secret_is(guarded):
    with connect(guarded.address, token=guarded.tokens["ada"]) as client:
        client.open(MINE).write(BOUNDS, ids()[None])
        with pytest.raises(PermissionDenied):
            client.delete(THEIRS)
    path = guarded.folder / "audit.log"
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    wrote = [each for each in lines if each["method"].endswith("WriteCutout") and each["principal"] == "ada"][-1]
    assert (wrote["outcome"], wrote["asked_volume"], wrote["proven_by"]) == ("OK", MINE, "token")
    assert wrote["asked_box"].startswith("-7,1000,30..")
    deleted = [each for each in lines if each["method"].endswith("DeleteVolume")][-1]
    assert (deleted["outcome"], deleted["asked_volume"]) == ("PERMISSION_DENIED", THEIRS)
    for token in guarded.tokens.values():
        assert token.rpartition("_")[2] not in path.read_text()


def test_who_is_not_the_owner_learns_nothing_from_an_owners_job(guarded):
    name = _job_of(guarded, "bob")
    with connect(guarded.address, token=guarded.tokens["ada"]) as client, pytest.raises(UnknownJob):
        client.job(name)
