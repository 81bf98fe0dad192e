"""A stand-in for a DVID server, in memory, that answers as the documented original does, traps included."""

from .server import DvidServer, Logged, dvid_server
from .store import Store

__all__ = ["DvidServer", "Logged", "Store", "dvid_server"]
