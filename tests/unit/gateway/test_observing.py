"""Which few things requests are counted as."""

from voxgate_gateway.app import create_app
from voxgate_gateway.observing import OTHER, dialect_of


def test_every_address_that_is_served_is_one_of_the_few_that_are_told_apart():
    paths = [route.path for route in create_app("localhost:1").routes if hasattr(route, "path")]
    assert len(paths) > 20
    assert {path: dialect_of(path) for path in paths if dialect_of(path) == OTHER} == {}
    assert dialect_of("/voxgate.v1.VolumeService/ReadCutout") == "calls"


def test_what_is_not_served_is_all_the_same():
    made_up = ("/x", "/nga/b", "/zarr3/x", "//evil", "/v2/cutout", "/../ng/x", "/metrics")
    assert {dialect_of(path) for path in made_up} == {OTHER}
