import re
import tomllib
from pathlib import Path

from voxgate_remotes.config import (
    CacheConfig,
    CredentialsConfig,
    RemoteConfig,
    TuningConfig,
    VolumeOverrides,
    parse_remotes,
)

PAGE = (Path(__file__).parents[3] / "docs/reference/configuration.md").read_text()


def test_the_example_of_the_configuration_page_is_a_valid_configuration():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    remotes = parse_remotes(tomllib.loads(example)["remotes"], Path("/etc/voxgate")).remotes
    assert remotes["fib25"].uri == "file:///etc/voxgate/data/fib25"
    assert remotes["lab"].overrides(("2024", "neurons")).voxel_offset == (1024, 1024, 0)


def test_every_key_has_its_row_on_the_configuration_page():
    for model in (RemoteConfig, VolumeOverrides, CredentialsConfig, TuningConfig, CacheConfig):
        for key in model.model_fields:
            assert f"| `{key}` |" in PAGE
