"""The page of dialects says what a run proved, and a run that proved something else is told so."""

import json

import pytest

from tools import dialects_table
from tools.dialects_table import CANNOT, CLIENTS, RESULTS, differences, load, render

PROOF = {"store": "N5", "feature": "Zarr v3 / dask", "peer": "dask", "version": "1.0", "voxels": 7}


def written(folder, *proofs):
    folder.mkdir(exist_ok=True)
    path = folder / "proofs.json"
    path.write_text(json.dumps(proofs))
    return path


def test_only_what_was_proved_has_a_tick(tmp_path):
    page = render(load(written(tmp_path, PROOF)))
    assert page.count("| ✓") == 1
    section = page.partition("## Zarr v3")[2].partition("## Zarr v2")[0]
    (line,) = (line for line in section.splitlines() if line.startswith("| N5 |"))
    marks = [mark.strip() for mark in line.strip("|").split("|")][1:]
    assert [client for client, mark in zip(CLIENTS["Zarr v3"], marks, strict=True) if mark == "✓"] == ["dask"]
    assert set(marks) == {"✓", "unproved"}


def test_a_cell_that_a_run_lacks_or_that_another_release_proved_is_a_difference(tmp_path):
    whole = json.loads(RESULTS.read_text())
    stated = written(tmp_path / "a", *whole)
    assert differences(stated, written(tmp_path / "b", *whole)) == []
    (lost,) = differences(stated, written(tmp_path / "c", *whole[1:]))
    assert " / ".join(whole[0]["feature"].split(" / ")) in lost
    newer = {**whole[0], "version": "999"}
    assert len(differences(stated, written(tmp_path / "d", newer, *whole[1:]))) == 1


@pytest.mark.parametrize(
    "changes", [{"store": "floppy"}, {"feature": "Zarr v3 / netscape"}, {"feature": "Zarr v9 / dask"}]
)
def test_a_proof_of_no_cell_is_refused(tmp_path, changes):
    with pytest.raises(SystemExit):
        load(written(tmp_path, PROOF | changes))


def test_what_is_proved_cannot_be_said_to_be_impossible(tmp_path):
    dialect, client, fact = next(iter(CANNOT))
    with pytest.raises(SystemExit):
        load(written(tmp_path, PROOF | {"store": fact, "feature": f"{dialect} / {client}"}))


def test_the_check_fails_where_page_and_run_disagree(tmp_path, capsys):
    assert dialects_table.main(["--check", str(RESULTS)]) == 0
    assert dialects_table.main(["--check", str(written(tmp_path, PROOF))]) == 1
    assert "make conformance" in capsys.readouterr().err
