"""What precomputed volumes keep beside their voxels: meshes, skeletons and properties of segments."""

from voxgate_remotes.precomputed_kept.kept import Kept

__all__ = ["Kept"]
