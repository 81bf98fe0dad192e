"""docs/reference/configuration.md says what the settings classes say: their keys, in their order, and defaults."""

import dataclasses
import json
import re

import pytest

from support.house import ROOT
from voxgate_gateway.settings import GatewaySettings
from voxgate_serving.auth.settings import AuthSettings, GrantSettings, JwtSettings
from voxgate_serving.settings import ServerSettings

PAGE = (ROOT / "docs/reference/configuration.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
COMPUTED = {"worker_processes": "processors, at most 8", "job_threads": "processors, 4 to 8"}
"""Defaults that depend on the machine, in words."""


def table(heading):
    """The rows of the first table below a heading: key, default, what it is."""
    below = PAGE.split(f"\n{heading}\n", 1)[1]
    return ROW.findall(re.split(r"\n#+ ", below, maxsplit=1)[0])


def shown(default):
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if default == "":
        return '""'
    return json.dumps(default) if isinstance(default, dict) else str(default)


def test_the_table_of_the_server_is_what_its_class_declares():
    declared = [
        (name, COMPUTED.get(name) or shown(field.default), field.description)
        for name, field in ServerSettings.model_fields.items()
    ]
    assert table("## `[server]`") == declared


@pytest.mark.parametrize(
    ("heading", "kind", "inner"),
    [
        ("## `[auth]`", AuthSettings, {"jwt", "grants"}),
        ("### `[auth.jwt]`", JwtSettings, set()),
        ("### `[[auth.grants]]`", GrantSettings, set()),
    ],
)
def test_the_tables_of_auth_are_what_their_classes_declare(heading, kind, inner):
    declared = [
        (name, "required" if field.is_required() else shown(field.default), field.description)
        for name, field in kind.model_fields.items()
        if name not in inner
    ]
    assert table(heading) == declared


def gateway_tables():
    """Each table of `[gateway]`: its heading, and its class's settings; what is a table itself has its own."""
    tables, found = [("## `[gateway]`", "gateway", GatewaySettings())], []
    for heading, where, settings in tables:
        fields = dataclasses.fields(settings)
        inner = [each.name for each in fields if dataclasses.is_dataclass(getattr(settings, each.name))]
        tables += [(f"### `[{where}.{name}]`", f"{where}.{name}", getattr(settings, name)) for name in inner]
        found.append(
            (heading, [(each.name, getattr(settings, each.name)) for each in fields if each.name not in inner])
        )
    return found


@pytest.mark.parametrize(("heading", "settings"), gateway_tables(), ids=lambda value: str(value)[:30])
def test_the_tables_of_the_gateway_are_what_its_classes_declare(heading, settings):
    told = [(name, default.strip('"`')) for name, default, _ in table(heading)]
    assert told == [(name, shown(default).strip('"')) for name, default in settings]
    assert all(what for *_, what in table(heading))
