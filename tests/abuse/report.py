"""What was tried, how often, and what was found: as a table, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from abuse.fuzzing import Outcome


@dataclass
class Report:
    """Everything that a run of `make abuse` tells.

    Attributes:
        fuzzed: by target.
        cases: name, answer and fault (empty for none) of every case that is no fuzzing.
    """

    fuzzed: list[Outcome] = field(default_factory=list)
    cases: list[tuple[str, str, str]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """All inputs together."""
        return sum(one.inputs for one in self.fuzzed)

    @property
    def faults(self) -> list[str]:
        """Everything that is wrong."""
        fuzzed = [
            f"{one.name}: {fault['fault']} (input {fault['input'][:160]})"
            for one in self.fuzzed
            for fault in one.faults
        ]
        cases = [f"{name}: {fault}" for name, _, fault in self.cases if fault]
        return [*fuzzed, *cases, *(f"log: {line[:600]}" for line in self.logged)]

    def add(self, outcome: Outcome) -> str:
        """Take an outcome; its line."""
        self.fuzzed.append(outcome)
        rate = outcome.inputs / max(outcome.seconds, 1e-3)
        return (
            f"{outcome.name:42} {outcome.inputs:9,} inputs {outcome.taken:8,} taken {outcome.refused:9,} refused"
            f" {rate:8,.0f}/s +{outcome.grown_bytes >> 20} MiB {len(outcome.faults)} faults"
        )

    def case(self, name: str, answer: str, fault: str) -> str:
        """Take a case; its line."""
        self.cases.append((name, answer, fault))
        return f"{name:64} {'FAULT ' + fault if fault else answer}"

    def summary(self) -> str:
        """The last lines of the table."""
        cases = f"{len(self.cases)} cases, {len(self.faults)} faults"
        return "\n".join([f"{self.inputs:,} inputs to {len(self.fuzzed)} targets, {cases}", *self.faults])

    def as_json(self) -> str:
        """All of it."""
        told = {"inputs": self.inputs, "faults": self.faults, **dataclasses.asdict(self)}
        return json.dumps(told, indent=1)
