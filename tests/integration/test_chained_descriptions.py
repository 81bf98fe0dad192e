"""Descriptions of another server's volumes that are believed for a while: what is asked, and when that ends."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from support.chains import chained_registry, far_store
from support.servers import volume_server
from support.transfers import BOXES, source_spec, voxels_of_scale
from voxgate.model.errors import UnknownVolume
from voxgate.model.geometry import Vec3
from voxgate.model.names import VolumeName
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.memory import MemoryRemote

NAME = "next/lab/seg"
PATH = VolumeName.parse(NAME).segments


@contextlib.contextmanager
def chained(**options):
    """A registry whose remote is another server, and the store behind that."""
    registry, store = far_store()
    store.inner = Deletable(store.inner)
    with volume_server(registry) as server:
        yield chained_registry(server.address, "/mem", options=options), store


class Deletable:
    """The same store, from which somebody else takes volumes away."""

    def __init__(self, inner: MemoryRemote) -> None:
        self._inner = inner
        self.gone = False

    def open(self, path, options):
        if self.gone:
            raise UnknownVolume("it is gone", "")
        return self._inner.open(path, options)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def read(registry):
    return registry.open(NAME).read(BOXES[1], scale=1)


@pytest.mark.parametrize(("options", "asked"), [({}, 6), ({"believed_s": 600}, 4)])
def test_a_description_is_asked_for_once_where_it_is_believed_and_else_for_every_call(options, asked):
    with chained(**options) as (registry, store):
        for _ in range(3):
            assert np.array_equal(read(registry), voxels_of_scale(1))
        # Of each read's two calls, describing and reading, one needs not be made again.
        assert len(store.contexts) == asked


def test_a_volume_that_is_gone_is_not_read_and_not_believed_in_for_longer_than_the_first_failure():
    with chained(believed_s=600) as (registry, store):
        opened = registry.open(NAME)
        store.inner.gone = True
        assert registry.open(NAME).info is opened.info
        with pytest.raises(UnknownVolume):
            read(registry)
        with pytest.raises(UnknownVolume):
            registry.open(NAME)
        store.inner.gone = False
        assert np.array_equal(read(registry), voxels_of_scale(1))


def test_what_is_created_through_here_is_what_is_opened_next():
    with chained(believed_s=600) as (registry, store):
        assert registry.open(NAME).info.scales[0].stored_chunk_shape != Vec3(8, 8, 8)
        store.inner = Deletable(MemoryRemote(RemoteConfig(uri="memory://", writable=True)))
        registry.create(NAME, source_spec(chunk=Vec3(8, 8, 8)))
        assert registry.open(NAME).info.scales[0].stored_chunk_shape == Vec3(8, 8, 8)
