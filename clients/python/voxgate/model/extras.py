"""Libraries that only some need: loaded when they are used, and named with their extra where they are not installed."""

from __future__ import annotations

import importlib
from typing import Any

from voxgate.model.errors import Unimplemented


def loaded(module: str, extra: str) -> Any:
    """A module of an optional library.

    Args:
        module: its name.
        extra: the extra of this distribution that brings it.

    Raises:
        Unimplemented: when the library is not installed; says which extra to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A library that is there but lacks one of its own is another fault, which must not be called by this name.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        library = module.partition(".")[0]
        raise Unimplemented(f"{library} is not installed here", f"pip install 'voxgate[{extra}]'") from None
