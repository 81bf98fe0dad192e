"""The published intern client writes to our server and reads back; a real server answered it in the same way."""

import pytest

from support.dvid import dvid_server
from support.peers import run_peer


@pytest.fixture(scope="module")
def told():
    with dvid_server() as server:
        root = server.store.add_repo("lab")
        answers = run_peer("intern", "dvid_with_intern.py", server.address, root)
        yield answers, root, server.paths("DELETE")


def test_voxels_come_back_as_they_were_sent(told):
    answers, root, _ = told
    assert answers["created"] == [root, root]
    assert answers["equal"] == [True, True]


def test_its_extents_are_inclusive_and_its_instances_without_versions(told):
    answers, *_ = told
    assert answers["extents"] == [[32, 63], [-64, -1], [0, 31]]
    assert answers["versioned"] is False
    assert (answers["alias"], answers["types"]) == ("lab", ["labelblk", "uint8blk"])


def test_notes_and_commits_are_taken(told):
    answers, *_ = told
    assert (answers["log"], answers["committed"]) == ("one", True)


def test_what_a_server_refuses_it_is_refused(told):
    answers, root, deletions = told
    assert "non-block aligned geometry (33,-64,0) -> (64,-1,31)" in answers["unaligned"]
    assert answers["deleted"] == r"b'404 page not found\n'"
    assert deletions == [f"/api/repo/{root}/gray"]
    assert "Cannot create a master branch" in answers["branch"]
    assert "Cannot do post on locked node UUID" in answers["locked"]
