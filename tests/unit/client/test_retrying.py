"""Which calls are made again by themselves, and where several addresses lead."""

import json

import pytest

from voxgate.client.addresses import Target, is_this_machine, parse_target
from voxgate.client.retrying import ATTEMPTS, is_repeatable, service_config
from voxgate.model.errors import InvalidArgument
from voxgate.wire.contract import methods

NEVER_AGAIN = {
    "WriteCutout",
    "CreateVolume",
    "DeleteVolume",
    "StartDownsampling",
    "SetMetadata",
    "DeleteMetadata",
    "CommitVersion",
    "CreateVersion",
    "BranchVersion",
    "ReserveSegmentIds",
}
RESUMED = {"ReadCutout", "GetMeshes", "GetSkeletons", "WatchJob"}


def named(config):
    (found,) = config["methodConfig"]
    return {each["method"] for each in found["name"]}


def test_every_method_is_made_again_but_those_that_change_something_each_time():
    every = {method for _, method in methods()}
    assert every >= NEVER_AGAIN
    assert {method for method in every if not is_repeatable(method)} == NEVER_AGAIN
    assert named(json.loads(service_config(is_balanced=True, resumes=False))) == every - NEVER_AGAIN


def test_streams_that_the_client_takes_up_by_itself_are_left_to_it_alone():
    every = named(json.loads(service_config(is_balanced=False, resumes=False)))
    assert every - named(json.loads(service_config(is_balanced=False, resumes=True))) == RESUMED


def test_calls_that_are_made_again_have_a_budget():
    config = json.loads(service_config(is_balanced=False, resumes=True))
    assert config["methodConfig"][0]["retryPolicy"]["maxAttempts"] == ATTEMPTS
    assert config["retryThrottling"]["maxTokens"] <= 100
    assert config["retryThrottling"]["tokenRatio"] <= 0.1


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("volume:50051", Target("volume:50051", True)),
        ("dns:///volume.lab.svc:50051", Target("dns:///volume.lab.svc:50051", True)),
        ("localhost:50051", Target("localhost:50051", False)),
        ("127.0.0.1:50051", Target("127.0.0.1:50051", False)),
        ("unix:/run/voxgate", Target("unix:/run/voxgate", False)),
        ("10.0.0.7:50051,10.0.0.8:50052", Target("ipv4:10.0.0.7:50051,10.0.0.8:50052", True)),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", Target("ipv4:127.0.0.1:1,127.0.0.1:2", True)),
        ("[::1]:1,[fe80::7]:2", Target("ipv6:[::1]:1,[fe80::7]:2", True)),
    ],
)
def test_an_address_leads_to_one_server_or_to_every_replica(address, target):
    assert parse_target(address) == target


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "http://volume:50051",
        "a/b:1",
        "one:1,two:2",
        "10.0.0.7,10.0.0.8",
        "10.0.0.7:1,[::1]:2",
        "10.0.0.7:x,10.0.0.8:1",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InvalidArgument) as refused:
        parse_target(address)
    assert refused.value.remedy


def test_several_addresses_are_of_this_machine_if_each_is():
    assert is_this_machine("127.0.0.1:1,[::1]:2")
    assert not is_this_machine("127.0.0.1:1,10.0.0.7:2")
