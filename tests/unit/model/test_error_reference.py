"""The page of limits and errors says what the code says."""

import inspect
import re

import pytest

from support.house import ROOT
from voxgate.model import errors
from voxgate.model.reasons import error_class
from voxgate.v1 import types_pb2, volume_pb2
from voxgate.wire.errors import status_code
from voxgate_serving.settings import ServerSettings

PAGE = (ROOT / "docs/reference/limits-and-errors.md").read_text()
ROW = re.compile(r"^\| `([A-Z_]+)` \| (\S+) \| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)
LIMIT = re.compile(r"^\| `([a-z_]+)` \| (\d+) \|", re.MULTILINE)
ROWS = ROW.findall(PAGE)
CLIENTS_OWN = {"INCOMPLETE_ANSWER", "PARTIAL_WRITE", "SERVER_UNREACHABLE", "TLS_FAILED", "JOB_FAILED"}


def leaves(root: type[errors.VoxgateError]) -> set[type[errors.VoxgateError]]:
    """The classes that nothing derives from."""
    # A server's rooms have some of their own, which are these to everybody else.
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return set().union(*map(leaves, children)) if children else {root}


def test_every_error_that_can_be_raised_has_one_row():
    listed = [name for _, _, name, _, _ in ROWS]
    raised_as_they_are = {
        errors.InvalidArgument,
        errors.PermissionDenied,
        errors.ServerBusy,
        errors.ServerUnreachable,
    }
    assert sorted(listed) == sorted(kind.__name__ for kind in leaves(errors.VoxgateError) | raised_as_they_are)


def test_every_reason_of_the_contract_has_a_row():
    contract = {value.name.removeprefix("ERROR_REASON_") for value in types_pb2.ErrorReason.DESCRIPTOR.values} - {
        "UNSPECIFIED"
    }
    listed = {reason for reason, *_ in ROWS}
    assert contract - listed == set()
    assert listed - contract == CLIENTS_OWN | {"UNAUTHENTICATED"}


@pytest.mark.parametrize(("reason", "code", "name", "meaning", "remedy"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_has_the_reason_code_and_meaning_of_its_class(reason, code, name, meaning, remedy):
    kind = getattr(errors, name)
    assert kind.reason == reason
    assert inspect.cleandoc(kind.__doc__).splitlines()[0] == meaning
    assert len(remedy) > 5
    if reason in CLIENTS_OWN:
        assert code == "-"
        assert error_class(reason) is None
    else:
        assert code == status_code(kind("something happened")).name
        assert error_class(reason) is kind


def test_limits_have_the_defaults_of_the_settings():
    limits = dict(LIMIT.findall(PAGE))
    assert len(limits) >= 8
    defaults = {name: int(ServerSettings.model_fields[name].default) for name in limits}
    assert {name: int(number) for name, number in limits.items()} == defaults


def test_limits_that_travel_are_on_the_page():
    for field in volume_pb2.Limits.DESCRIPTOR.fields:
        assert f"`{field.name}`" in PAGE, field.name
