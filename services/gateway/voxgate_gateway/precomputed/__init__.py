"""The neuroglancer precomputed dialect: every volume, unsharded, under `/ng/NAME@VERSION/-/`.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed.
"""

from voxgate_gateway.precomputed.layout import refuse_unsupported, scale_keys
from voxgate_gateway.precomputed.routes import ROUTES

__all__ = ["ROUTES", "refuse_unsupported", "scale_keys"]
