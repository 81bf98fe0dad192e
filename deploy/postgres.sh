#!/usr/bin/env bash
# Have the image of PostgreSQL that compose.yaml names: pulled, or where that cannot be, Debian's in its place.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/containers.sh
need buildah podman
image=docker.io/library/postgres:15
podman image exists "$image" && exit
timeout 60 podman pull --quiet "$image" >/dev/null 2>&1 && exit
need_base
buildah bud "${building[@]}" -f deploy/docker/postgres/Dockerfile -t "$image" . >"$scratch/build-postgres.log" 2>&1 ||
  { tail -40 "$scratch/build-postgres.log" >&2; exit 1; }
echo "built $image from Debian's packages"
