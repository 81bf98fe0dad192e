"""Volumes in HDF5 files: plain datasets, CREMI, BigDataViewer and ilastik; read only.

The file format is HDF5's own ("HDF5 File Format Specification", versions 0 to 3 of the superblock), read with h5py;
what stands around the voxels is told in `conventions` and `bdv`. Needs `voxgate-remotes[hdf5]`.
"""

from voxgate_remotes.hdf5.format import Hdf5Format

__all__ = ["Hdf5Format"]
