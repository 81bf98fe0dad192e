#!/usr/bin/env bash
# Check the manifests against the schemas of Kubernetes, and the Dockerfiles with hadolint, in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/tools.sh
(($#)) || set -- deploy/k8s/rendered/*.yaml
# preStop.sleep came with 1.29. A kind without a schema is only a warning to the tool, and a mistake here.
for version in 1.29 1.37; do
  said=$("$tools/kubernetes-validate" --strict -k "$version" "$@" 2>&1) || { echo "$said" >&2; exit 1; }
  if grep -q WARN <<<"$said"; then
    echo "$said" >&2
    exit 1
  fi
done
"$tools/hadolint" --failure-threshold warning deploy/docker/Dockerfile deploy/docker/postgres/Dockerfile
