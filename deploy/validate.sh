#!/usr/bin/env bash
# Check the manifests against the schemas of Kubernetes, and the Dockerfile with hadolint, in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-deploy
if [[ ! $venv/.ready -nt deploy/tools.lock ]]; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r deploy/tools.lock
  touch "$venv/.ready"
fi
(($#)) || set -- deploy/k8s/rendered/*.yaml
# preStop.sleep came with 1.29. A kind without a schema is only a warning to the tool, and a mistake here.
for version in 1.29 1.37; do
  said=$("$venv/bin/kubernetes-validate" --strict -k "$version" "$@" 2>&1) || { echo "$said" >&2; exit 1; }
  if grep -q WARN <<<"$said"; then
    echo "$said" >&2
    exit 1
  fi
done
"$venv/bin/hadolint" --failure-threshold warning deploy/docker/Dockerfile
