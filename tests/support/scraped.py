"""A page of metrics, read by Prometheus's own parser."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Page:
    """The samples of one reading, and the text that they were in."""

    samples: dict[Key, float]
    kinds: dict[str, str]
    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """One number; None where the page has no such."""
        return self.samples.get((name, frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all numbers of a name that have these labels, whatever others they have."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    @property
    def names(self) -> set[str]:
        """Of all samples."""
        return {name for name, _ in self.samples}

    def labels(self, name: str) -> set[str]:
        """The labels that samples of a name have."""
        return {key for found, has in self.samples if found == name for key, _ in has}


def scraped(port: int) -> Page:
    """The page at a port of this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    samples: dict[Key, float] = {}
    kinds = {}
    for family in text_string_to_metric_families(text):
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, key
            samples[key] = sample.value
    return Page(samples, kinds, text)


def scraped_until(port: int, is_so: Callable[[Page], bool], patience_s: float = 60.0) -> Page:
    """The page once it says something: what ends a call is counted a moment after its caller knows."""
    until = time.monotonic() + patience_s
    while not is_so(page := scraped(port)):
        assert time.monotonic() < until, page.text
        time.sleep(0.05)
    return page
