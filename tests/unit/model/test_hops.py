"""Where levels lie, as one voxgate tells another in a header."""

import pytest

from voxgate.model.errors import MetadataInvalid
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.hops import ToldLevel, levels_of_text, levels_text


def test_levels_are_told_exactly():
    levels = (
        ToldLevel(Box.of(x=(-24, 47), y=(40, 83), z=(-7, 2**53 + 1)), VoxelSize(4, 6.5, 40)),
        ToldLevel(Box.of(x=(-12, 24), y=(20, 42), z=(-7, 14)), None),
    )
    text = levels_text(levels)
    assert text.isascii()
    assert levels_of_text(text) == levels


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", "{}", "7", "[" * 99_999),
        *("[[[0,0,0],[1,1],null]]", "[[[0,0,0],[1,1,1.5],null]]", "[[[0,0,0],[0,1,1],null]]"),
        *("[[[0,0,0],[1,1,1],[1,0,1]]]", "[[[0,0,0],[1,1,1],[1,NaN,1]]]", "[[[0,0,0],[1,1,true],null]]"),
    ],
)
def test_what_is_no_list_of_levels_is_refused(text):
    with pytest.raises(MetadataInvalid):
        levels_of_text(text)
