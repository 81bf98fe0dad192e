#!/usr/bin/env bash
# Render the base and every overlay into deploy/k8s/rendered, or with --check fail where what is checked in differs.
set -euo pipefail
cd "$(dirname "$0")/k8s"
if kubectl kustomize --help >/dev/null 2>&1 && ! kubectl version --client 2>&1 | grep -q 'v1\.20'; then
  build() { kubectl kustomize "$1"; }
elif command -v kustomize >/dev/null; then
  build() { kustomize build "$1"; }
else
  echo "needs kubectl (1.27 or newer) or kustomize 5" >&2
  exit 3
fi
target=rendered
[[ ${1:-} == --check ]] && target=$(mktemp -d) && trap 'rm -rf "$target"' EXIT
for source in base overlays/*/; do
  name=$(basename "$source")
  { echo "# Made by deploy/render.sh from deploy/k8s/${source%/}: change that."; build "$source"; } >"$target/$name.yaml"
done
[[ $target == rendered ]] || diff -ru rendered "$target"
