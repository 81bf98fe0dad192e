"""Files that are replaced: whole, beside readers and other writers, and after a writer that died."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import Cancelled, StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes import replacing
from voxgate_remotes.replacing import replaced

MEGA = 2**20
DIES_WITHIN = """
import os, signal, sys, pathlib
from voxgate.model.volumes import CallContext
from voxgate_remotes.replacing import replaced
with replaced(pathlib.Path(sys.argv[1]), fsync=True, context=CallContext()) as file:
    file.append(b"n" * (5 << 20))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path, *pieces, fsync=True, context=None):
    with replaced(path, fsync=fsync, context=context or CallContext()) as file:
        for piece in pieces:
            file.append(piece)
        assert file.size == sum(map(len, pieces))


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 3 * MEGA), max_size=5), fsync=st.booleans())
def test_pieces_of_any_size_arrive_in_order(tmp_path_factory, sizes, fsync):
    path = tmp_path_factory.mktemp("files") / "a" / "b"
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    write(path, *pieces, fsync=fsync)
    assert path.read_bytes() == b"".join(pieces)
    assert list(path.parent.iterdir()) == [path]


def refusing_direct_writes(monkeypatch, at):
    """A file system that refuses to go past the page cache: when it is asked to, or when it is written to."""

    def control(file, command, argument=0):
        if command == fcntl.F_SETFL and argument & os.O_DIRECT and at == "asking":
            raise OSError(errno.EINVAL, "Invalid argument")
        return fcntl.fcntl(file, command, argument)

    written = os.write

    def refused(file, data):
        if at == "writing" and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return written(file, data)

    monkeypatch.setattr(replacing.os, "write", refused)
    monkeypatch.setattr(replacing, "fcntl", type("Control", (), {**vars(fcntl), "fcntl": staticmethod(control)}))


@pytest.mark.parametrize("at", ["asking", "writing"])
def test_file_systems_that_insist_on_their_cache_are_written_through_it(tmp_path, monkeypatch, at):
    refusing_direct_writes(monkeypatch, at)
    write(tmp_path / "a", b"1" * (5 * MEGA + 3), b"2")
    assert (tmp_path / "a").read_bytes() == b"1" * (5 * MEGA + 3) + b"2"


def test_a_reader_has_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a"
    write(path, b"o" * (3 * MEGA))
    with path.open("rb") as beside:
        with replaced(path, fsync=True, context=CallContext()) as file:
            file.append(b"n" * (4 * MEGA))
            assert path.read_bytes() == b"o" * (3 * MEGA)
        assert path.read_bytes() == b"n" * (4 * MEGA)
        assert beside.read() == b"o" * (3 * MEGA)


def test_a_writer_that_is_killed_leaves_the_old_file_and_the_next_one_takes_over(tmp_path):
    path = tmp_path / "a"
    write(path, b"old")
    ended = subprocess.run([sys.executable, "-c", DIES_WITHIN, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert (tmp_path / "a.__lock").stat().st_size > 3
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    write(path, b"old")
    with (
        pytest.raises(BufferError),
        replaced(path, fsync=True, context=CallContext()) as file,
    ):
        file.append(memoryview(b"new")[::2])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_to_be_full(tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(replacing.os, "write", full)
    with pytest.raises(StoreUnavailable, match="no space left"):
        write(tmp_path / "a", b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_without_its_path(tmp_path):
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(StoreUnavailable) as caught:
        write(tmp_path / "a" / "b" / "c", b"1")
    assert str(tmp_path) not in str(caught.value)


def test_our_writer_waits_for_another_and_then_writes(tmp_path):
    path, inside, may_go = tmp_path / "a", threading.Event(), threading.Event()

    def first():
        with replaced(path, fsync=False, context=CallContext()) as file:
            inside.set()
            may_go.wait(60)
            file.append(b"first")

    threads = [threading.Thread(target=first), threading.Thread(target=write, args=(path, b"second"))]
    threads[0].start()
    assert inside.wait(60)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive()
    may_go.set()
    for thread in threads:
        thread.join(60)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_waits_for_another_writer_may_give_up(tmp_path):
    context = CallContext()
    with replaced(tmp_path / "a", fsync=False, context=CallContext()) as file:
        file.append(b"first")
        context.stop.set()
        with pytest.raises(Cancelled):
            write(tmp_path / "a", b"second", context=context)
    assert (tmp_path / "a").read_bytes() == b"first"


def test_tensorstore_waits_for_our_lock(tmp_path):
    store = ts.KvStore.open({"driver": "file", "path": f"{tmp_path}/"}).result()
    with replaced(tmp_path / "a", fsync=False, context=CallContext()) as file:
        theirs = store.write("a", b"theirs")
        with pytest.raises(TimeoutError):
            theirs.result(timeout=0.2)
        file.append(b"ours")
    theirs.result(timeout=60)
    assert (tmp_path / "a").read_bytes() == b"theirs"


def test_a_conditional_write_of_tensorstore_notices_ours(tmp_path):
    store = ts.KvStore.open({"driver": "file", "path": f"{tmp_path}/"}).result()
    seen = store.write("a", b"theirs").result().generation
    write(tmp_path / "a", b"ours")
    store.write("a", b"merged with what was", if_equal=seen).result()
    assert (tmp_path / "a").read_bytes() == b"ours"
