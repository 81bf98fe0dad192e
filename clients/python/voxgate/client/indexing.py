"""NumPy's basic indexing, parsed without an array: which voxels to read, and how to cut the answer out of them.

The rules are those of https://numpy.org/doc/stable/user/basics.indexing.html#basic-indexing: integers drop an axis,
slices keep it, one Ellipsis stands for the axes that are not named, `np.newaxis` adds one of extent 1.
"""

from __future__ import annotations

import operator
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

_UNSUPPORTED = "not supported: read a box with integers and slices, then apply this index to the array that comes back"
_INVALID = (
    "only integers, slices (`:`), ellipsis (`...`) and numpy.newaxis (`None`) are valid indices, not {item!r} of {kind}"
)


@dataclass(frozen=True, slots=True)
class BasicIndex:
    """A parsed index.

    Attributes:
        covering: for each axis of the indexed array, the positions to read; an integer's axis has one position.
        local: the index that cuts the result out of an array of the covering positions.
        strided: whether `local` leaves positions of the covering out.
    """

    covering: tuple[range, ...]
    local: tuple[Any, ...]
    strided: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the covering positions."""
        return tuple(len(positions) for positions in self.covering)

    @property
    def is_empty(self) -> bool:
        """Whether nothing needs to be read."""
        return 0 in self.shape


def parse_basic_index(index: object, shape: tuple[int, ...], *, exact: Container[int] = ()) -> BasicIndex:
    """Parse what stands between the brackets of `array[…]`.

    Args:
        index: an int, slice, Ellipsis, None, or a tuple of these.
        shape: the extents of the array that is indexed.
        exact: numbers of axes where single positions can be read; on the others steps read all that they span.

    Raises:
        IndexError: where numpy raises it: too many indices, out of bounds, not an index at all.
        TypeError: for boolean masks and integer arrays, which numpy takes and this does not.
        ValueError: for a step of 0, as numpy does.
    """
    items = [_classified(item) for item in (index if isinstance(index, tuple) else (index,))]
    named = sum(1 for item in items if item is not None and item is not Ellipsis)
    if sum(1 for item in items if item is Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if named > len(shape):
        raise IndexError(f"too many indices for array: array is {len(shape)}-dimensional, but {named} were indexed")
    covering: list[range] = []
    local: list[Any] = []
    strided = False
    for item in items:
        if item is None:
            local.append(None)
        elif item is Ellipsis:
            # Kept in `local`: numpy answers a 0-d array, not a scalar, for an index with an ellipsis.
            local.append(Ellipsis)
            hidden = len(shape) - named
            covering.extend(range(extent) for extent in shape[len(covering) : len(covering) + hidden])
        elif isinstance(item, slice):
            axis = len(covering)
            wanted = range(*item.indices(shape[axis]))
            covering.append(wanted if axis in exact else _spanned(wanted))
            local.append(slice(None) if axis in exact else slice(None, None, wanted.step))
            strided |= abs(wanted.step) != 1 and axis not in exact
        else:
            position = _position(item, len(covering), shape[len(covering)])
            covering.append(range(position, position + 1))
            local.append(0)
    covering.extend(range(extent) for extent in shape[len(covering) :])
    return BasicIndex(tuple(covering), tuple(local), strided)


def _classified(item: object) -> Any:
    """An int, slice, Ellipsis or None; everything else raises."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        raise TypeError(f"a boolean mask is {_UNSUPPORTED}")
    if isinstance(item, (list, tuple, range, np.ndarray)):
        return _classified_array(np.asarray(item), item)
    try:
        return operator.index(item)  # type: ignore[arg-type]  # what is not an integer raises
    except TypeError:
        raise IndexError(_INVALID.format(item=item, kind=type(item).__name__)) from None


def _classified_array(array: np.ndarray[Any, Any], item: object) -> int:
    """An array with a single number is an integer, as in numpy; other index arrays are not basic indexing."""
    if array.dtype.kind == "b":
        raise TypeError(f"a boolean mask is {_UNSUPPORTED}")
    is_empty_list = array.size == 0 and not isinstance(item, np.ndarray)
    if array.dtype.kind not in "iu" and not is_empty_list:
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if array.ndim:
        raise TypeError(f"an integer array is {_UNSUPPORTED}")
    return int(array)


def _spanned(wanted: range) -> range:
    """Every position from the least to the greatest one wanted: what a store can read in one go."""
    if not wanted:
        return range(0)
    return range(min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1)


def _position(index: int, axis: int, extent: int) -> int:
    if not -extent <= index < extent:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {extent}")
    return index + extent if index < 0 else index
