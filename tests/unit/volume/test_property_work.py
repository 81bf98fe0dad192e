"""Pages of one table are of one moment, and of one asker: without a server."""

import numpy as np
import pytest
from hypothesis import given

from support.segment_service import SEARCHED
from support.segment_tables import Keeper, assert_same, tables, wide_table
from voxgate.model.errors import InvalidArgument, MissingCapability, VersionMoved
from voxgate.model.segment_properties import NumberColumn, SegmentTable
from voxgate_volume.property_work import PropertyTables, Wanted, digest_of

ALL = Wanted()


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def keeper(count=10):
    return Keeper(SEARCHED, wide_table(count))


def test_a_table_is_read_once_for_all_its_pages():
    volume, served, token, seen = keeper(), PropertyTables(), "", []
    while True:
        place = served.place(volume, ALL, token, "me")
        seen += place.table.rows(slice(place.first, place.first + 4)).segment_ids.tolist()
        token = served.token_after(place, 4)
        if not token:
            break
    assert seen == volume.table.segment_ids.tolist()
    assert volume.asked == 1
    # Of the last page nothing is left to be kept.
    assert not served._kept


def test_nobody_is_answered_from_what_was_read_for_another():
    volume, served = keeper(), PropertyTables()
    token = served.token_after(served.place(volume, ALL, "", "me"), 4)
    served.place(volume, ALL, token, "you")
    assert volume.asked == 2
    served.place(volume, ALL, token, "me")
    assert volume.asked == 2


def test_what_is_kept_too_long_or_is_too_much_is_read_again(monkeypatch):
    clock = Clock()
    volume, served = keeper(), PropertyTables(clock)
    token = served.token_after(served.place(volume, ALL, "", "me"), 4)
    clock.now += 61
    assert served.place(volume, ALL, token, "me").first == 4
    assert volume.asked == 2
    monkeypatch.setattr("voxgate_volume.property_work._KEPT_CELLS", 39)
    token = served.token_after(served.place(volume, ALL, "", "me"), 4)
    served.place(volume, ALL, token, "me")
    assert volume.asked == 4


def test_only_the_last_few_tables_are_kept():
    served = PropertyTables()
    volumes = [keeper(10 + each) for each in range(6)]
    tokens = [served.token_after(served.place(each, ALL, "", "me"), 4) for each in volumes]
    for volume, token in zip(volumes, tokens, strict=True):
        served.place(volume, ALL, token, "me")
    assert [each.asked for each in volumes] == [2, 2, 1, 1, 1, 1]


def test_a_table_that_changed_between_two_pages_is_noticed():
    volume, served = keeper(), PropertyTables()
    token = served.token_after(served.place(volume, ALL, "", "me"), 4)
    elsewhere = PropertyTables()
    assert elsewhere.place(volume, ALL, token, "me").first == 4
    volume.table = SegmentTable(volume.table.segment_ids, (*volume.table.columns[:2],))
    with pytest.raises(VersionMoved):
        elsewhere.place(volume, ALL, token, "me")
    volume.table = volume.table.rows(slice(0, 2))
    with pytest.raises(VersionMoved):
        elsewhere.place(volume, ALL, token, "me")


def test_a_token_of_another_question_is_noticed():
    volume, served = keeper(), PropertyTables()
    token = served.token_after(served.place(volume, ALL, "", "me"), 4)
    with pytest.raises(VersionMoved):
        served.place(volume, Wanted(properties=("n",)), token, "me")


@pytest.mark.parametrize("token", ["5", "-abc", "x-abc", "²-abc", "1" * 30 + "-a", "-1-abc", " 1-a"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(InvalidArgument, match="page token"):
        PropertyTables().place(keeper(), ALL, token, "me")


def test_a_part_of_a_table_is_in_its_order():
    table = wide_table(10)
    ids = table.segment_ids.tolist()
    part = Wanted((ids[7], ids[2], 5), ("n", "name")).of(table)
    assert part.segment_ids.tolist() == [ids[2], ids[7]]
    assert [each.name for each in part.columns] == ["name", "n"]
    assert part.column("n").values.tolist() == [2 - 2**62, 7 - 2**62]
    for names in (("n", "n"), ("nothing",)):
        with pytest.raises(InvalidArgument):
            Wanted(properties=names).of(table)


def test_a_store_that_keeps_nothing_says_so():
    with pytest.raises(MissingCapability) as caught:
        PropertyTables().place(SEARCHED, ALL, "", "me")
    assert caught.value.details == {"capability": "segment_properties"}


@given(one=tables(), other=tables())
def test_a_digest_is_of_the_values(one, other):
    assert digest_of(one) == digest_of(one.rows(slice(None)))
    try:
        assert_same(one, other)
    except (AssertionError, ValueError):
        assert digest_of(one) != digest_of(other)


def test_a_digest_tells_where_texts_end_and_what_numbers_are():
    table = wide_table(3)
    for dtype in (np.uint32, np.int32):
        numbers = SegmentTable(table.segment_ids, (NumberColumn("n", np.arange(3, dtype=dtype)),))
        assert digest_of(numbers) != digest_of(SegmentTable(table.segment_ids, (NumberColumn("n", np.arange(3)),)))
