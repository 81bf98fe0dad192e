"""The command of a page that is written from what tests proved: render it, or fail where a run says something else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class ProofPage:
    """A page of docs/reference and the proofs it is written from.

    Attributes:
        about: what the command is, for its help.
        page: the page.
        results: the proofs.
        render: the text of the page, from the file of the proofs.
        differences: in what a run's proofs differ from the page's, a line for each.
    """

    about: str
    page: Path
    results: Path
    render: Callable[[Path], str]
    differences: Callable[[Path, Path], list[str]]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Render or check; the exit code."""
        parser = argparse.ArgumentParser(description=self.about)
        parser.add_argument("--check", type=Path, metavar="FILE", help="the proofs of a run")
        chosen = parser.parse_args(arguments)
        text = self.render(self.results)
        if chosen.check is None:
            self.page.write_text(text)
            return 0
        problems = self.differences(self.results, chosen.check)
        if self.page.read_text() != text:
            problems.append(f"docs/reference/{self.page.name} is not what docs/reference/{self.results.name} says")
        for problem in problems:
            print(problem, file=sys.stderr)
        if problems:
            print('run "make conformance" and look at what changed', file=sys.stderr)
        return 1 if problems else 0
