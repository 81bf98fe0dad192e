from dataclasses import replace

import numpy as np
import pytest

from support.array_volume import image
from voxgate.client.array import VolumeArray
from voxgate.client.viewing import View, reached_from, view_url
from voxgate.model.errors import FailedPrecondition, InvalidArgument

GATEWAY = "http://localhost:8080"


def url_of(segments=(), position_nm=None, **changes):
    return view_url(replace(image().info, name="lab/em", **changes), GATEWAY, segments, position_nm)


def test_an_address_says_the_volume_its_version_the_segments_and_the_place():
    assert url_of() == f"{GATEWAY}/view/lab/em/-"
    assert url_of([2**64 - 1, np.uint64(7), 7], (8, 0.5, -3e7)).endswith(
        "/view/lab/em/-?segments=18446744073709551615,7&position_nm=8,0.5,-30000000"
    )
    assert url_of("some").endswith("/-?segments=some")
    assert url_of(resolved_version="ab/c d").endswith("/view/lab/em@ab%2Fc%20d/-")


@pytest.mark.parametrize("segments", [[0], [2**64], [-1], [1.0], [True], ["7"], "7", range(1, 1002)])
def test_what_is_no_segment_id_is_refused(segments):
    with pytest.raises(InvalidArgument):
        url_of(segments)


@pytest.mark.parametrize("position", [(1, 2), (1, 2, float("nan")), "abc"])
def test_what_is_no_position_is_refused(position):
    with pytest.raises(InvalidArgument):
        url_of((), position)


def test_a_volume_without_a_server_says_what_is_missing_and_takes_a_gateway_that_is_named():
    volume = VolumeArray(image())
    with pytest.raises(FailedPrecondition, match="voxgate serve"):
        volume.view()
    named = volume.view(gateway="/user/x/proxy/8080/", height_px=300)
    assert str(named).startswith("/user/x/proxy/8080/view/")


def test_a_view_is_a_frame_in_notebooks_and_an_address_elsewhere():
    view = View(f'{GATEWAY}/view/lab/em/-?a="<b>', 321)
    assert repr(view) == view.url
    frame = view._repr_html_()
    assert 'height="321"' in frame
    assert "<b>" not in frame
    assert frame.count("&lt;b&gt;") == 3


@pytest.mark.parametrize(
    ("address", "told", "reached"),
    [
        ("localhost:50051", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("lab-box:50051", "http://localhost:8080", "http://lab-box:8080"),
        ("dns:///lab-box:50051", "http://127.0.0.1:8080/", "http://lab-box:8080"),
        ("[2001:db8::7]:50051", "http://[::1]:8080/x", "http://[2001:db8::7]:8080/x"),
        ("lab-box:50051", "https://voxgate.lab/a/", "https://voxgate.lab/a"),
        ("unix:/tmp/voxgate", "http://localhost:8080", "http://localhost:8080"),
        ("lab-box:50051", "", ""),
    ],
)
def test_a_gateway_on_the_servers_own_machine_is_where_the_server_is(address, told, reached):
    assert reached_from(address, told) == reached
