"""python -m tests.abuse: everything that is tried against voxgate, by hand. See docs/explanations/security.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as in tests: `support` and `abuse` are packages

from abuse import addresses, connections, documents, fuzzing, guards, messages, serving, targets
from abuse.report import Report

PARTS = ("decoders", "documents", "addresses", "messages", "connections", "guards")


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="make abuse", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many inputs, of all fuzzers together")
    parser.add_argument("--connections", type=int, default=10_000, help="how many idle connections at once")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="write everything there, too")
    told = parser.parse_args(arguments)
    parts = told.parts.split(",")
    report = Report()
    if "decoders" in parts or "documents" in parts:
        _bytes(report, told.inputs, told.seed, parts)
    if "addresses" in parts:
        for outcome in addresses.fuzz_addresses(told.inputs // 200):
            print(report.add(outcome), flush=True)
    if "guards" in parts:
        for case in guards.redirected():
            print(report.case(*case), flush=True)
    if {"messages", "connections", "guards"} & set(parts):
        with tempfile.TemporaryDirectory() as folder:
            _suite(report, Path(folder), told, parts)
    print(report.summary(), flush=True)
    if told.json:
        told.json.write_text(report.as_json())
    return 1 if report.faults else 0


def _bytes(report: Report, inputs: int, seed: int, parts: list[str]) -> None:
    slow = list(documents.targets())
    for name in targets.names():
        kind = "documents" if name in slow else "decoders"
        if kind in parts:
            # A document is opened and read as a volume, a hundred times slower than bytes are decoded.
            count = inputs // 500 if kind == "documents" else inputs // 40
            print(report.add(fuzzing.fuzz(name, max(count, 1), seed)), flush=True)


def _suite(report: Report, folder: Path, told: argparse.Namespace, parts: list[str]) -> None:
    (folder / "secret").mkdir()
    for name in ("info", "zarr.json"):
        (folder / "secret" / name).write_bytes(guards.MARK)
    with serving.running_suite(folder) as suite:
        if "connections" in parts:
            for case in connections.run(suite, told.connections):
                print(report.case(*case), flush=True)
        if "guards" in parts:
            for name, count, fault in guards.traversed(suite):
                print(report.case(f"traversal: {name}", f"{count} names", fault), flush=True)
        if "messages" in parts:
            for outcome in messages.fuzz_methods(suite, max(told.inputs // 2500, 1), told.seed):
                print(report.add(outcome), flush=True)
        report.logged = suite.faults()[:40]


if __name__ == "__main__":
    raise SystemExit(main())
