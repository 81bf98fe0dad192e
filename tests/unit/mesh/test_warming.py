import numpy as np

from voxgate_mesh.cubes import kernel
from voxgate_mesh.warming import warm


def test_what_a_request_needs_is_compiled_by_then():
    warm()
    dtypes = {str(signature[0].dtype) for signature in kernel._count.machine_code.signatures}
    assert {"uint8", "uint16"} <= dtypes
    assert {np.dtype(name).itemsize for name in dtypes} >= {1, 2}
