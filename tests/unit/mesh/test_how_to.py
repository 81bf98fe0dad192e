"""The example of meshing an array runs."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs/how-to/mesh-an-array.md"


def test_the_example_runs_and_the_surface_lies_where_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names["mesh"].bounds_nm.tolist() == [[40, 20, 120], [180, 120, 800]]
    assert (tmp_path / "body.obj").stat().st_size > 1000
    (near,) = names["near"].values()
    assert near.normals.shape == near.vertices.shape
    assert abs(near.bounds_nm - names["mesh"].bounds_nm - [4000, 8000, 12000]).max() <= 20
