"""docs/reference/conformance.md says the truth: its example passes, its tables are the tests there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from voxgate_remotes.testing import EncodedConformance, ReadConformance, WriteConformance

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "conformance.md").read_text()


def names_and_docs(suite: type) -> dict[str, str]:
    """The names and docstrings of a suite's tests, in order."""
    return {name: method.__doc__ for name, method in vars(suite).items() if name.startswith("test_")}


def test_the_example_passes(tmp_path):
    example = tmp_path / "test_example.py"
    example.write_text(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(example)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert f"{sum(map(len, map(names_and_docs, (ReadConformance, WriteConformance))))} passed" in ran.stdout


@pytest.mark.parametrize("suite", [ReadConformance, WriteConformance, EncodedConformance])
def test_each_test_is_listed_with_what_it_says(suite):
    """The tables stand in this order, each behind the name of its suite."""
    sections = re.split(r"^`(Read|Write|Encoded)Conformance`", PAGE, flags=re.MULTILINE)[1:]
    section = dict(zip(sections[::2], sections[1::2], strict=True))[suite.__name__.removesuffix("Conformance")]
    listed = re.findall(r"^\| `(test_\w+)` \| (.*) \|$", section, re.MULTILINE)
    assert listed == [(name, says.split("\n")[0].strip()) for name, says in names_and_docs(suite).items()]
