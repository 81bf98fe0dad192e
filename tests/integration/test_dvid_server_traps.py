"""What a client of DVID trips over, and our server has to have. Each was seen on a real server."""

import threading

import lz4.block
import numpy as np
import pytest
import requests

from support.dvid import dvid_server

BIG = 2**63 + 5
EDGE = 16
BLOCK = "16,16,16"


@pytest.fixture
def server():
    with dvid_server() as running:
        yield running


@pytest.fixture
def seg(server):
    root = server.store.add_repo("traps")
    server.store.add_instance(root, "seg", "labelmap", BlockSize=BLOCK, MaxDownresLevel="1")
    return f"{server.url}/api/node/{root}/seg"


def block_of_labels(*places):
    voxels = np.zeros((EDGE, EDGE, EDGE), "<u8")
    for (z, y, x), label in places:
        voxels[z, y, x] = label
    return voxels


def post(url, corner, voxels, query=""):
    place = "_".join(map(str, corner))
    size = "_".join(map(str, voxels.shape[::-1]))
    return requests.post(f"{url}/raw/0_1_2/{size}/{place}{query}", data=voxels.tobytes(), timeout=30)


def get(url, size, corner, query=""):
    reply = requests.get(f"{url}/raw/0_1_2/{'_'.join(map(str, size))}/{'_'.join(map(str, corner))}{query}", timeout=30)
    reply.raise_for_status()
    return np.frombuffer(reply.content, "<u8").reshape(size[::-1])


def test_a_point_at_negative_coordinates_is_always_background(seg):
    assert post(seg, (-32, 0, 0), block_of_labels(((2, 3, 4), 7))).ok
    assert get(seg, (1, 1, 1), (-28, 3, 2)) == 7
    assert requests.get(f"{seg}/label/-28_3_2", timeout=30).json() == {"Label": 0}
    assert requests.get(f"{seg}/labels", json=[[-28, 3, 2]], timeout=30).json() == [0]


def test_a_write_to_an_odd_negative_block_fails_but_its_voxels_are_in(seg):
    assert post(seg, (-16, 0, 0), block_of_labels(((2, 3, 4), 7))).status_code == 500
    assert get(seg, (1, 1, 1), (-12, 3, 2)) == 7
    assert not get(seg, (16, 8, 8), (-8, 0, 0), "?scale=1").any()


def test_the_runs_of_a_body_below_zero_in_y_or_z_end_the_connection(server, seg):
    assert post(seg, (0, -32, 0), block_of_labels(((2, 3, 4), 7))).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{seg}/sparsevol/7", timeout=30)
    assert server.requests[-1].status == 0


def test_writing_a_box_twice_without_mutate_counts_its_voxels_twice(seg):
    voxels = block_of_labels(((2, 3, 4), BIG), ((2, 3, 5), BIG))
    post(seg, (16, 0, 0), voxels)
    post(seg, (16, 0, 0), voxels)
    assert requests.get(f"{seg}/size/{BIG}", timeout=30).json() == {"voxels": 4}
    post(seg, (16, 0, 0), voxels, "?mutate=true")
    assert requests.get(f"{seg}/size/{BIG}", timeout=30).json() == {"voxels": 4}


def test_counts_may_come_after_the_answer(server, seg):
    _, _, instance = server.store.instance(seg.split("/")[-2], "seg")
    instance.holds_counts = True
    post(seg, (16, 0, 0), block_of_labels(((2, 3, 4), 7)))
    assert requests.get(f"{seg}/size/7", timeout=30).status_code == 404
    instance.count()
    assert requests.get(f"{seg}/size/7", timeout=30).json() == {"voxels": 1}


def test_a_post_at_another_scale_writes_the_finest(seg):
    assert post(seg, (16, 0, 0), block_of_labels(((2, 3, 4), 7)), "?scale=1").ok
    assert get(seg, (1, 1, 1), (20, 3, 2)) == 7


def test_packed_voxels_that_end_early_are_filled_with_background(seg):
    post(seg, (16, 0, 0), block_of_labels(((2, 3, 4), 7)))
    short = lz4.block.compress(b"\x09\0\0\0\0\0\0\0", store_size=False)
    reply = requests.post(f"{seg}/raw/0_1_2/16_16_16/16_0_0?compression=lz4", data=short, timeout=30)
    assert reply.ok
    assert np.unique(get(seg, (16, 16, 16), (16, 0, 0))).tolist() == [0, 9]


def test_bounds_are_in_voxels_of_the_scale_and_head_has_them_the_wrong_way_round(seg):
    voxels = block_of_labels(((2, 3, 4), 7), ((2, 3, 5), 7), ((2, 3, 6), 7))
    post(seg, (16, 0, 0), voxels)
    body = requests.get(f"{seg}/sparsevol/7?scale=1&minx=11", timeout=30).content
    assert np.frombuffer(body[12:], "<i4").tolist() == [11, 1, 1, 1]
    assert requests.head(f"{seg}/sparsevol/7?minx=16&maxx=31", timeout=30).status_code == 204
    assert requests.head(f"{seg}/sparsevol/7?minx=500", timeout=30).status_code == 200


def test_a_scale_that_does_not_exist_is_background(seg):
    post(seg, (16, 0, 0), block_of_labels(((2, 3, 4), 7)))
    assert not get(seg, (8, 8, 8), (0, 0, 0), "?scale=2").any()


def test_background_shows_in_whole_blocks_and_not_in_boxes(server):
    root = server.store.add_repo()
    server.store.add_instance(root, "em", "uint8blk", BlockSize=BLOCK, Background="9")
    url = f"{server.url}/api/node/{root}/em"
    assert set(requests.get(f"{url}/raw/0_1_2/3_2_1/0_0_0", timeout=30).content) == {0}
    assert set(requests.get(f"{url}/blocks/0_0_0/1", timeout=30).content) == {9}


def test_answers_above_two_kilobytes_come_in_chunks_without_a_length(seg):
    small = requests.get(f"{seg}/raw/0_1_2/4_4_4/0_0_0", timeout=30)
    large = requests.get(f"{seg}/raw/0_1_2/8_8_8/0_0_0", timeout=30)
    assert small.headers["Content-Length"] == "512"
    assert "Content-Length" not in large.headers
    assert large.headers["Transfer-Encoding"] == "chunked"


def test_a_second_throttled_request_is_turned_away(server, seg):
    with server.throttle:
        reply = requests.get(f"{seg}/raw/0_1_2/4_4_4/0_0_0?throttle=true", timeout=30)
    assert (reply.status_code, reply.text) == (503, "Server already running 1 throttled operations (max = 1)\n")
    assert requests.get(f"{seg}/raw/0_1_2/4_4_4/0_0_0?throttle=true", timeout=30).ok


def test_making_a_repository_needs_the_token_where_there_is_one(server):
    server.admin_token = "secret"
    refused = requests.post(f"{server.url}/api/repos", json={"alias": "a"}, timeout=30)
    assert refused.status_code == 400
    assert refused.text.startswith("Creating a repo requires admin privileges")
    assert requests.post(f"{server.url}/api/repos?admintoken=secret", json={"alias": "a"}, timeout=30).ok


def test_a_refused_merge_of_versions_leaves_one_behind(server):
    root = server.store.add_repo()
    server.store.commit(root)
    child, branch = server.store.new_version(root), server.store.new_version(root, branch="b")
    wanted = {"mergeType": "conflict-free", "parents": [child, branch]}
    refused = requests.post(f"{server.url}/api/repo/{root}/merge", json=wanted, timeout=30)
    assert (refused.status_code, refused.text.partition(" (")[0]) == (400, "can't branch an unlocked node")
    nodes = requests.get(f"{server.url}/api/repo/{root}/info", timeout=30).json()["DAG"]["Nodes"]
    (left,) = set(nodes) - {root, child, branch}
    assert (nodes[left]["Branch"], nodes[left]["Parents"]) == ("", [])


def test_part_of_a_value_and_a_value_of_nothing(server):
    root = server.store.add_repo()
    server.store.add_instance(root, "kv", "keyvalue")
    url = f"{server.url}/api/node/{root}/kv/key"
    requests.post(f"{url}/a", data=b"0123456789", timeout=30)
    requests.post(f"{url}/empty", data=b"", timeout=30)
    part = requests.get(f"{url}/a", headers={"Range": "bytes=2-4"}, timeout=30)
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert requests.get(f"{url}/a", headers={"Range": "bytes=20-24"}, timeout=30).status_code == 416
    assert requests.get(f"{url}/empty", timeout=30).status_code == 404


def test_the_faults_that_a_test_asks_for(server, seg):
    url = f"{seg}/raw/0_1_2/8_8_8/0_0_0"
    server.fail_next(503, "busy", {"Retry-After": "1"}, times=2, only="/raw/")
    assert requests.get(f"{seg}/info", timeout=30).ok
    assert [requests.get(url, timeout=30).status_code for _ in range(3)] == [503, 503, 200]
    server.cut_next(100)
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=30)
    server.redirect_next("http://127.0.0.1:9/elsewhere")
    assert requests.get(url, timeout=30, allow_redirects=False).headers["Location"] == "http://127.0.0.1:9/elsewhere"
    assert [one.status for one in server.requests] == [200, 503, 503, 200, 0, 302]


def test_requests_over_one_connection_and_many_at_once(seg):
    post(seg, (16, 0, 0), block_of_labels(((2, 3, 4), 7)))
    found = []

    def read():
        with requests.Session() as session:
            for _ in range(5):
                body = session.get(f"{seg}/raw/0_1_2/16_16_16/16_0_0?compression=lz4", timeout=60).content
                found.append(np.frombuffer(lz4.block.decompress(body, uncompressed_size=EDGE**3 * 8), "<u8").sum())

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 40
