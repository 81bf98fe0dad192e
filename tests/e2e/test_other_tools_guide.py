"""The examples of docs/how-to/use-other-tools.md, as they are."""

from __future__ import annotations

import re

import pytest

from support.gateways import suite_over
from support.house import ROOT
from support.servers import SAMPLES

PAGE = ROOT / "docs/how-to/use-other-tools.md"


@pytest.fixture(scope="module")
def url():
    with suite_over({"fib25": SAMPLES / "fib25"}) as url:
        yield url


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_an_example_of_the_page_runs(url, block):
    found: dict[str, object] = {}
    exec(block.replace("http://localhost:8080", url), found)
    if "mesh" in found:
        assert len(found["mesh"].faces) > 1000
        assert found["part"].shape == (50, 30, 10, 1)
        assert found["coarse"].shape[0] == 40
    if "ids" in found:
        assert found["ids"].shape == (50, 30, 10)
        assert found["ids"].any()
