"""Every grammar of the gateway's addresses, by the strategies and the checks of its fuzz tests, with more examples."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from abuse.fuzzing import Outcome
from hypothesis import settings

from support.servers import SAMPLES, volume_server
from support.standin_volumes import served, three_volumes
from voxgate_gateway.server import Gateway
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

_SHARED = (
    ("unit.gateway.test_bad_clients", "test_no_address_and_no_header_is_a_fault"),
    ("unit.gateway.test_fuzzed_pages", "test_no_address_of_a_page_is_a_fault_or_comes_back_as_markup"),
    ("unit.gateway.test_rest_addresses", "test_any_address_and_query_is_answered_or_refused_in_json"),
)
_REAL = (("unit.gateway.test_fuzzed_pages", "test_no_body_of_a_call_is_a_fault"),)


def fuzz_addresses(count: int) -> Iterator[Outcome]:
    """Run the fuzz test of each grammar with `count` examples."""
    with served(three_volumes()) as address:
        gateway = Gateway(address, port=0)
        gateway.start()
        for module, name in _SHARED:
            yield _run(module, name, count, {"shared": gateway})
        gateway.stop(1)
    remote = RemoteConfig(uri=(SAMPLES / "aniso").as_uri())
    with volume_server(Registry.from_config(RemotesConfig(remotes={"lab": remote}))) as server:
        gateway = Gateway(f"localhost:{server.port}", port=0)
        gateway.start()
        for module, name in _REAL:
            yield _run(module, name, count, {"real": gateway})
        gateway.stop(1)


def _run(module: str, name: str, count: int, fixtures: dict[str, Any]) -> Outcome:
    test: Any = getattr(importlib.import_module(module), name)
    inner: Callable[..., None] = test.hypothesis.inner_test
    seen = [0]

    def counted(*arguments: Any, **named: Any) -> None:
        seen[0] += 1
        inner(*arguments, **named)

    outcome, began = Outcome(name), time.monotonic()
    kept = test._hypothesis_internal_use_settings
    test.hypothesis.inner_test = counted
    test._hypothesis_internal_use_settings = settings(kept, max_examples=count, database=None, deadline=None)
    test._hypothesis_internal_use_seed = random.randrange(2**32)
    try:
        test(**fixtures)
    except Exception as error:  # noqa: BLE001  (this is what is looked for)
        outcome.faults.append({"fault": f"{type(error).__name__}: {str(error)[:400]}", "input": ""})
    finally:
        test.hypothesis.inner_test, test._hypothesis_internal_use_settings = inner, kept
    outcome.inputs, outcome.seconds = seen[0], time.monotonic() - began
    outcome.taken = outcome.inputs - len(outcome.faults)
    return outcome
