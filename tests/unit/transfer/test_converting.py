import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voxgate.model.errors import DataTypeMismatch
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import SUPPORTED_DTYPES
from voxgate_transfer.converting import converted, fits

START = Vec3(-24, 40, -7)
TYPES = st.sampled_from(SUPPORTED_DTYPES)


def convert(voxels: np.ndarray, dtype: str) -> np.ndarray:
    return converted(voxels, np.dtype(dtype), start=START, channels=tuple(range(voxels.shape[0])))


def exactly(value, dtype: np.dtype) -> bool:
    """Whether a Python number is a value of a type that has no equal neighbours there."""
    if dtype.kind == "f":
        return isinstance(value, float) or abs(value) <= 2 ** (np.finfo(dtype).nmant + 1)
    whole = not isinstance(value, float) or (np.isfinite(value) and value.is_integer())
    return bool(whole) and np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max


def _narrow(number: float) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.float64(number).astype("<f4")))


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = draw(TYPES)
    return draw(hnp.arrays(dtype, (2, 2, 1, 3), elements=hnp.from_dtype(dtype)))


@given(arrays(), TYPES)
def test_every_value_arrives_as_the_same_number_or_the_first_that_does_not_fit_is_named(voxels, dtype):
    numbers = voxels.reshape(-1).tolist()
    narrowed = voxels.dtype.kind == dtype.kind == "f" and dtype.itemsize < voxels.dtype.itemsize
    limit = float(np.finfo(np.float32).max)
    good = [
        not np.isfinite(n) or abs(np.float64(n)) <= limit or _narrow(n) if narrowed else exactly(n, dtype)
        for n in numbers
    ]
    if all(good) or voxels.dtype == dtype:
        found = convert(voxels, dtype.str)
        assert found.dtype == dtype
        if not narrowed:
            np.testing.assert_array_equal(np.array(found.reshape(-1).tolist(), object), np.array(numbers, object))
        return
    with pytest.raises(DataTypeMismatch) as refused:
        convert(voxels, dtype.str)
    first = good.index(False)
    c, z, y, x = (int(at) for at in np.unravel_index(first, voxels.shape))
    told = refused.value.details
    assert (told["channel"], told["x"], told["y"], told["z"]) == (str(c), str(x - 24), str(y + 40), str(z - 7))
    assert told["value"] == str(numbers[first])


@pytest.mark.parametrize(
    ("value", "source", "dtype", "is_fine"),
    [
        (255, "<u2", "u1", True),
        (256, "<u2", "u1", False),
        (-1, "<i8", "<u8", False),
        (2**63, "<u8", "<i8", False),
        (2**63 - 1, "<u8", "<i8", True),
        (2**53, "<u8", "<f8", True),
        (2**53 + 2, "<u8", "<f8", False),
        (2**64 - 1, "<u8", "<f8", False),
        (2**24 + 2, "<u4", "<f4", False),
        (float(2**63), "<f8", "<u8", True),
        (float(2**64), "<f8", "<u8", False),
        (float(2**64), "<f4", "<u8", False),
        (-float(2**63), "<f4", "<i8", True),
        (0.5, "<f4", "u1", False),
        (float("nan"), "<f4", "<f8", True),
        (float("nan"), "<f4", "u1", False),
        (float("inf"), "<f8", "<f4", True),
        (1e300, "<f8", "<f4", False),
        (0.1, "<f8", "<f4", True),
        (-0.0, "<f8", "u1", True),
    ],
)
def test_what_fits_is_decided_at_the_edges_of_the_types(value, source, dtype, is_fine):
    assert fits(value, np.dtype(source), np.dtype(dtype)) is is_fine


def test_the_same_type_is_the_same_array():
    voxels = np.arange(6, dtype="<u8").reshape(1, 1, 2, 3)
    assert convert(voxels, "<u8") is voxels
