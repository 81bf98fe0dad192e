import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUF = Path(sys.executable).parent / "buf"


def breaking(folder):
    command = [str(BUF), "breaking", "--against", str(ROOT / "protos/contract-baseline.binpb")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def test_the_contract_breaks_nobody_who_has_the_baseline():
    assert breaking(ROOT).returncode == 0


def test_a_field_whose_number_or_type_changes_is_noticed(copy):
    assert breaking(copy).returncode == 0
    types = copy / "protos/voxgate/v1/types.proto"
    text = types.read_text()
    for old, new in (("bytes data = 15;", "bytes data = 14;"), ("int64 x = 1;", "int32 x = 1;")):
        assert old in text
        types.write_text(text.replace(old, new, 1))
        assert breaking(copy).returncode != 0
    types.write_text(text.replace("  // Along x, the", "  // Once more.\n  string note = 9;\n  // Along x, the", 1))
    assert breaking(copy).returncode == 0
