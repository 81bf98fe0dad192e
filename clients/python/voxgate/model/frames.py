"""Tables as pandas has them; pandas is loaded when the first one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.extras import loaded


def column_of(values: Sequence[Any] | npt.NDArray[Any]) -> Any:
    """Values as a column takes them: numbers as they are, texts as texts, tuples as objects."""
    if isinstance(values, np.ndarray):
        return values
    if all(isinstance(each, str) for each in values):
        # A list, of which pandas makes whatever its release has for texts; without any it has nothing to go by.
        return list(values) if values else np.empty(0, object)
    column = np.empty(len(values), object)
    for place, each in enumerate(values):  # at once, numpy would take tuples of one length for a second axis
        column[place] = each
    return column


def frame_of(
    columns: Mapping[str, Any],
    *,
    index: tuple[str, npt.NDArray[Any]] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> Any:
    """A `pandas.DataFrame`.

    Args:
        columns: values by name, in order.
        index: its name and values; rows are counted where there is none.
        descriptions: kept as `attrs["descriptions"]`; none where there are none.

    Raises:
        Unimplemented: when pandas is not installed.
    """
    pandas = loaded("pandas", "tables")
    rows = None if index is None else pandas.Index(index[1], name=index[0])
    frame = pandas.DataFrame(dict(columns), index=rows)
    if descriptions:
        frame.attrs["descriptions"] = dict(descriptions)
    return frame
