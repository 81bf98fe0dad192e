"""DVID, the version-aware database of volumes: images, segmentations, key-values, behind its HTTP API.

What it is: a server has repositories; a repository has a graph of versions (nodes) and data instances; an instance at
a node has voxels, labels or values. Facts of the format are cited where they are used: "help" means the text that a
DVID server shows at /api/help and /api/help/{type}; "measured" means seen on a DVID server v1.0.0-254 of June 2026.
"""

from voxgate_remotes.dvid.remote import DvidRemote

__all__ = ["DvidRemote"]
