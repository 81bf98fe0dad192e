import pytest

from voxgate.model.access import Caller, Role
from voxgate.model.errors import ConfigInvalid
from voxgate.model.grants import Grant, Grants
from voxgate.model.names import VolumeName

ADA = Caller("ada", frozenset(("lab",)), is_proven=True)
BOB = Caller("bob", is_proven=True)
NOBODY = Caller("anonymous")
POLICY = Grants(
    [
        Grant.parse("user:ada", "write", "mine/a%20b"),
        Grant.parse("group:lab", "read", "mine"),
        Grant.parse("anyone", "read", "open/em"),
        Grant.parse("authenticated", "read", "house"),
        Grant.parse("user:root", "admin", "*"),
    ]
)


def role(caller, name):
    return POLICY.role_on(caller, VolumeName.parse(name))


def test_a_grant_is_for_its_name_and_all_below_and_for_nothing_beside():
    assert role(ADA, "mine/a%20b") is Role.WRITE
    assert role(ADA, "mine/a%20b/seg") is Role.WRITE
    assert role(ADA, "mine/a%20bc") is Role.READ
    assert role(ADA, "mine") is Role.READ
    assert role(ADA, "mine2/a%20b") is None
    assert role(BOB, "mine/a%20b") is None


def test_who_proves_nothing_is_no_user_though_of_the_same_name():
    assert role(Caller("ada", frozenset(("lab",))), "mine") is None
    assert role(NOBODY, "house") is None
    assert role(NOBODY, "open/em/x") is Role.READ
    assert role(BOB, "house/x") is Role.READ


def test_what_lies_above_something_to_read_is_seen_and_not_read():
    assert POLICY.sees(NOBODY, VolumeName.parse("open"))
    assert role(NOBODY, "open") is None
    assert not POLICY.sees(NOBODY, VolumeName.parse("open/segmentation"))
    assert not POLICY.sees(NOBODY, VolumeName.parse("mine"))


def test_an_administrator_is_one_of_everything():
    root = Caller("root", is_proven=True)
    assert role(root, "anything/at/all") is Role.ADMIN
    assert POLICY.is_admin(root)
    assert not POLICY.is_admin(ADA)
    assert not Grants([Grant.parse("user:ada", "admin", "mine")]).is_admin(ADA)


@pytest.mark.parametrize(
    "words", [("ada", "read", "x"), ("user:", "read", "x"), ("user:ada", "Read", "x"), ("user:ada", "read", "")]
)
def test_words_that_mean_nothing_are_refused(words):
    with pytest.raises(ConfigInvalid):
        Grant.parse(*words)
