"""A `kubectl` for documents where there is no cluster.

What it would apply is built by the real one and checked against schemas; what it would create is made by the real one
with `--dry-run=client`. Of everything else it looks whether the namespace, and what is named in it, are in what was
applied. Whatever it does not know is an error, so that no command of a document goes by unnoticed.

    python kubectl_played.py REAL_KUBECTL CHECK STATE ARGUMENTS…    CHECK is a command that is given a file of manifests
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

CLUSTERS_OWN = {"pods", "certificates"}
"""Kinds of which controllers make some: asking for them is fine wherever there is anything."""
_RESTS = ("--all", "--for=", "--timeout=", "--tail=", "--replicas=")


def main() -> int:
    """Do what can be done without a cluster."""
    kubectl, check, state, *arguments = sys.argv[1:]
    cluster = Cluster(kubectl, shlex.split(check), Path(state))
    namespace = "default"
    if arguments[0] == "-n":
        namespace, arguments = arguments[1], arguments[2:]
    verb, *rest = arguments
    if verb == "version":
        return subprocess.call([kubectl, "version", *rest])
    if verb == "create":
        return cluster.create(["-n", namespace, *arguments])
    if verb in ("apply", "delete") and rest[0] in ("-k", "-f"):
        return cluster.change(verb, *rest)
    if verb in ("wait", "get", "logs", "port-forward", "scale", "rollout"):
        return cluster.look(namespace, rest[1:] if verb == "rollout" else rest)
    print(f"this kubectl does not know: {' '.join(arguments)}", file=sys.stderr)
    return 2


class Cluster:
    """What was applied, kept in a file: [[namespace, kind, name, ports], …]."""

    def __init__(self, kubectl: str, check: list[str], state: Path) -> None:
        self._kubectl = kubectl
        self._check = check
        self._state = state
        self._there = json.loads(state.read_text()) if state.exists() else []

    def create(self, arguments: list[str]) -> int:
        """Create a namespace or a Secret."""
        made = subprocess.run([self._kubectl, *arguments, "--dry-run=client", "-o", "yaml"], stdout=subprocess.PIPE)
        return made.returncode or self._checked("create", made.stdout)

    def change(self, verb: str, how: str, where: str) -> int:
        """Apply or delete a folder or a file."""
        if how == "-f":
            return self._checked(verb, Path(where).read_bytes())
        built = subprocess.run([self._kubectl, "kustomize", where], stdout=subprocess.PIPE)
        return built.returncode or self._checked(verb, built.stdout)

    def _checked(self, verb: str, manifests: bytes) -> int:
        file = self._state.with_suffix(".yaml")
        file.write_bytes(manifests)
        code = subprocess.call([*self._check, str(file)])
        found = [_entry(each) for each in yaml.safe_load_all(manifests) if each]
        if verb == "delete" and not all(each in self._there for each in found):
            print("what is deleted was never applied", file=sys.stderr)
            return 1
        kept = [each for each in self._there if each not in found]
        self._state.write_text(json.dumps(kept if verb == "delete" else kept + found))
        return code

    def look(self, namespace: str, words: list[str]) -> int:
        """Whether everything is there that is named."""
        inside = [each for each in self._there if each[0] == namespace]
        for word in words:
            if word.startswith(_RESTS):
                continue
            kind, slash, name = word.partition("/")
            if ":" in word:
                is_there = any(int(word.partition(":")[2]) in each[3] for each in inside)
            elif slash:
                is_there = any(each[1:3] == [kind, name] for each in inside)
            else:
                kinds = {each[1] for each in inside}
                is_there = all(
                    one in CLUSTERS_OWN or one.removesuffix("s") in kinds or _plural_of(one) in kinds
                    for one in word.split(",")
                )
            if not inside or not is_there:
                print(f"the namespace {namespace} has no {word}", file=sys.stderr)
                return 1
        return 0


def _plural_of(word: str) -> str:
    return word.removesuffix("ies") + "y"


def _entry(document: dict) -> list:
    spec = (
        document.get("spec", {}).get("template", {}).get("spec", {}) if isinstance(document.get("spec"), dict) else {}
    )
    ports = [port["containerPort"] for each in spec.get("containers", []) for port in each.get("ports", [])]
    metadata = document["metadata"]
    return [metadata.get("namespace", ""), document["kind"].lower(), metadata["name"], ports]


if __name__ == "__main__":
    sys.exit(main())
