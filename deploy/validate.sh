#!/usr/bin/env bash
# Check the manifests against the schemas of Kubernetes and of the custom resources, and against checkov's policies, and
# the Dockerfiles with hadolint, in an environment of their own. Files may be named; without, it is every render.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/tools.sh
(($#)) || set -- deploy/k8s/rendered/*.yaml
"$tools/python" deploy/check_manifests.py "$@"

# What is not followed, and why:
waived=(
  CKV_K8S_11 # a limit of processor time would throttle what has a whole node for itself; requests share it fairly
  CKV_K8S_14 # images of releases have tags; those that are built here for here are called latest
  CKV_K8S_15 # a release's tag never changes, and a machine without a registry has nothing to pull
  CKV_K8S_43 # digests are those of your registry: kustomize's `images` takes them
)
# The base is no installation: it says no namespace. one-replica is podman's: it has host ports.
judged=()
for file in "$@"; do
  case $file in */rendered/base.yaml | */rendered/one-replica.yaml) ;; *) judged+=("--file=$file") ;; esac
done
policies=(--skip-download --framework kubernetes --skip-check "$(IFS=, && echo "${waived[*]}")" --compact --quiet)
((${#judged[@]} == 0)) || LOG_LEVEL=ERROR "$tools/checkov" "${policies[@]}" "${judged[@]}"

"$tools/hadolint" --failure-threshold warning deploy/docker/Dockerfile deploy/docker/postgres/Dockerfile
