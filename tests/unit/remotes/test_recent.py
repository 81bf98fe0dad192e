"""The values that were used last."""

from voxgate_remotes.recent import Recent


def test_of_too_many_the_one_that_was_put_in_longest_ago_goes():
    recent = Recent[str, int](2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        recent.put(key, value)
    assert [recent.get(key) for key in "abc"] == [3, None, 4]
    assert recent.values() == [3, 4]


def test_what_is_dropped_is_gone_and_may_be_dropped_again():
    recent = Recent[str, int](2)
    recent.put("a", 1)
    recent.drop("a")
    recent.drop("a")
    assert recent.get("a") is None
