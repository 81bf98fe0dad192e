"""Tables of properties on the wire: pages, their size, and what a server may not answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.segment_tables import assert_same, tables, wide_table
from voxgate.model.errors import IncompleteAnswer, InvalidArgument, LimitExceeded, MetadataInvalid, UnsupportedFormat
from voxgate.model.segment_properties import NumberColumn, SegmentTable, TagColumn, TextColumn
from voxgate.v1 import segment_pb2 as pb
from voxgate.wire.segment_properties import TableAssembler, page_rows, properties_to_proto

LIMIT = 1 << 21


def page_of(table, first=0, rows=100_000, limit=LIMIT):
    count = page_rows(table, first, rows, limit)
    part = table.rows(slice(first, first + count))
    stop = first + count
    return pb.ListSegmentPropertiesResponse(
        segment_ids=part.segment_ids.tolist(),
        properties=properties_to_proto(part),
        next_page_token=str(stop) if stop < len(table) else "",
        total_count=len(table),
        resolved_version="7c0ffee:master",
        label_view=1,
    )


def pages_of(table, rows=100_000, limit=LIMIT):
    pages = [page_of(table, 0, rows, limit)]
    while pages[-1].next_page_token:
        pages.append(page_of(table, int(pages[-1].next_page_token), rows, limit))
    return pages


def whole(pages):
    assembler = TableAssembler()
    for page in pages:
        # As it travels.
        assembler.add(pb.ListSegmentPropertiesResponse.FromString(page.SerializeToString()))
    return assembler.finish()


@given(table=tables(), rows=st.integers(1, 20))
def test_any_table_comes_as_it_is_whatever_the_size_of_its_pages(table, rows):
    pages = pages_of(table, rows)
    assert len(pages) == max(1, -(-len(table) // rows))
    assert_same(whole(pages), table)


@given(table=tables(), limit=st.integers(1 << 11, 1 << 13))
def test_no_page_is_larger_than_it_may_be(table, limit):
    try:
        pages = pages_of(table, limit=limit)
    except LimitExceeded:
        assert len(page_of(table).SerializeToString()) > limit // 8
        return
    assert max(page.ByteSize() for page in pages) <= limit
    assert_same(whole(pages), table)


def test_extremes_keep_every_bit():
    ids = np.array([2**64 - 1, 0, 2**63 + 3, 2**53 + 1], np.uint64)
    columns = (
        NumberColumn("i8", np.array([-(2**63), 2**63 - 1, -1, 0], np.int64)),
        NumberColumn("u8", np.array([2**64 - 1, 0, 1, 2], np.uint64)),
        NumberColumn("f4", np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)),
        NumberColumn("swapped", np.array([1.5, np.nan, 5e-324, 0], ">f8")),
        TextColumn("ü\0\n", ("", "\U0001d510", "\u202e", "a" * 10_000)),
        TagColumn("none", ((), (), (), ()), ()),
    )
    found = whole(pages_of(SegmentTable(ids, columns), 3))
    little = replace(columns[3], values=columns[3].values.astype("<f8"))
    assert_same(found, SegmentTable(ids, (*columns[:3], little, *columns[4:])))


def test_a_page_is_full_and_not_too_full():
    table = wide_table(60_000)
    pages = pages_of(table)
    sizes = [page.ByteSize() for page in pages]
    assert len(pages) > 2
    assert max(sizes) <= LIMIT
    assert min(sizes[:-1]) > 0.8 * LIMIT
    assert_same(whole(pages), table)


def test_what_is_kept_of_one_segment_and_is_larger_than_a_message_is_refused():
    big = TextColumn("essay", ("short", "x" * LIMIT))
    table = SegmentTable(np.array([1, 2], np.uint64), (big,))
    assert len(page_of(table).segment_ids) == 1
    with pytest.raises(LimitExceeded, match="larger than a message"):
        page_of(table, 1)
    tags = TagColumn("t", ((), ()), tuple("x" * 1000 + str(each) for each in range(2200)))
    with pytest.raises(LimitExceeded):
        page_of(SegmentTable(table.segment_ids, (tags,)))
    # Nothing but columns is too large, too.
    with pytest.raises(LimitExceeded):
        page_of(SegmentTable(table.segment_ids[:0], (replace(tags, values=()),)))


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (TextColumn("half \ud800", ("a",)), MetadataInvalid),
        (TextColumn("a", ("half \ud800",)), MetadataInvalid),
        (TagColumn("a", (("half \udc00",),), ("half \udc00",)), MetadataInvalid),
        (TagColumn("a", (("b",),), ("c",)), MetadataInvalid),
        (NumberColumn("a", np.array([1], np.float16)), UnsupportedFormat),
        (NumberColumn("a", np.array([True])), UnsupportedFormat),
    ],
)
def test_what_cannot_be_said_is_refused_as_the_stores(column, error):
    with pytest.raises(error):
        page_of(SegmentTable(np.array([1], np.uint64), (column,)))


def broken(change):
    page = page_of(wide_table(4), rows=3)
    change(page)
    return page


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.properties[0].texts.pop(),
        lambda page: page.properties[1].tag_counts.pop(),
        lambda page: page.properties[1].tag_indices.pop(),
        lambda page: page.properties[1].tag_indices.__setitem__(0, 2),
        lambda page: page.properties[1].tag_descriptions.pop(),
        lambda page: setattr(page.properties[2], "data", page.properties[2].data[:-1]),
        lambda page: page.ClearField("segment_ids"),
    ],
)
def test_a_page_that_contradicts_itself_is_no_answer(change):
    with pytest.raises(IncompleteAnswer):
        TableAssembler().add(broken(change))


def test_a_page_that_promises_more_and_has_nothing_is_no_answer():
    empty = pb.ListSegmentPropertiesResponse(next_page_token="5", total_count=5)
    with pytest.raises(IncompleteAnswer, match="promises more"):
        TableAssembler().add(empty)


def test_a_kind_of_a_newer_contract_is_not_guessed():
    with pytest.raises(InvalidArgument, match="does not know"):
        TableAssembler().add(broken(lambda page: setattr(page.properties[0], "kind", 77)))


@pytest.mark.parametrize(
    "change",
    [
        lambda page: setattr(page, "total_count", 5),
        lambda page: page.properties[1].tags.append("third"),
        lambda page: setattr(page.properties[0], "description", "other"),
        lambda page: page.properties.pop(),
    ],
)
def test_pages_of_two_tables_are_not_mixed(change):
    first, second = pages_of(wide_table(4), 3)
    change(second)
    with pytest.raises(IncompleteAnswer):
        whole([first, second])


def test_a_table_with_a_hole_or_a_double_is_not_whole():
    first, second = pages_of(wide_table(6), 3)
    with pytest.raises(IncompleteAnswer, match="3 segments came instead of 6"):
        whole([first])
    with pytest.raises(IncompleteAnswer, match="twice"):
        whole([first, first])
    assert len(whole([first, second])) == 6
