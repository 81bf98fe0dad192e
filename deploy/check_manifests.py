"""Checks manifests against the schemas of Kubernetes, and of the custom resources in deploy/k8s/schemas, offline.

Run with the Python of .venv-deploy, which has kubernetes-validate: see validate.sh. Every unknown key is an error, and
so is a kind that has no schema, which kubernetes-validate by itself only warns of.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

SCHEMAS = Path(__file__).parent / "k8s/schemas"
VERSIONS = ("1.29", "1.37")
"""The oldest that the manifests are for (preStop.sleep came with it), and the newest that there are schemas of."""


def main(files: list[str]) -> int:
    """Check files; the exit code is 1 where something is wrong, and each such thing is said."""
    troubles = [trouble for file in files for trouble in troubles_of(Path(file))]
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles or not files else 0


def troubles_of(file: Path) -> list[str]:
    """What is wrong with the manifests of a file."""
    troubles = []
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        if document:
            where = f"{file.name}: {document.get('kind')}/{document.get('metadata', {}).get('name')}"
            troubles += [f"{where}: {trouble}" for trouble in _troubles(document)]
    return troubles


def _troubles(document: dict[str, Any]) -> list[str]:
    group, _, version = document.get("apiVersion", "").rpartition("/")
    schema = SCHEMAS / f"{group}-{version}-{document.get('kind', '').lower()}.json"
    if schema.exists():
        return _problems(document, json.loads(schema.read_text()))
    troubles = []
    for kubernetes in VERSIONS:
        try:
            kubernetes_validate.validate(document, kubernetes, strict=True)
        except kubernetes_validate.SchemaNotFoundError as error:
            troubles.append(error.message)
        except kubernetes_validate.ValidationError as error:
            troubles.append(f"{kubernetes}: {_told(error)}")
    return troubles


def _problems(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    return [_told(error) for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def _told(error: jsonschema.ValidationError) -> str:
    return f"{'.'.join(map(str, error.path))}: {error.message}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
