"""A contender that is a web browser: neuroglancer's client, until it has drawn all that it shows."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.support.browser import browser


@contextlib.contextmanager
def first_frame(url: str) -> Iterator[Callable[[], npt.NDArray[Any]]]:
    """Opens an address with nothing in the browser's cache; answers what the window shows, below its bars."""
    with browser() as window:

        def run() -> npt.NDArray[Any]:
            window.driver.devtools("Network.clearBrowserCache", {})
            window.visit(url)
            window.wait_for_scene()
            picture = Image.open(io.BytesIO(window.driver.picture())).convert("RGB")
            return np.asarray(picture)[60:]

        yield run
