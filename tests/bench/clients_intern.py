"""What the published intern client runs, in its own environment; see `tests.bench.player`.

Only the peer and numpy are imported here. Reads answer (z, y, x); boxes are [[x, x], [y, y], [z, z]], half-open.
"""

import contextlib
import warnings


@contextlib.contextmanager
def bossdb(address, token, path, box):
    """`BossRemote.get_cutout` with its defaults: large boxes are cut, and read by a pool of processes."""
    from intern.remote.boss import BossRemote

    warnings.simplefilter("ignore")
    collection, experiment, channel = path.split("/")
    remote = BossRemote({"protocol": "http", "host": address, "token": token})
    opened = remote.get_channel(channel, collection, experiment)
    yield lambda: remote.get_cutout(opened, 0, *box)


@contextlib.contextmanager
def dvid(address, root, instance, box):
    """`DVIDRemote.get_cutout`: one request, whatever the size."""
    from intern.remote.dvid import DVIDRemote

    warnings.simplefilter("ignore")
    remote = DVIDRemote({"protocol": "http", "host": address})
    opened = remote.get_instance(root, instance, "uint8")
    yield lambda: remote.get_cutout(opened, 0, *box)
