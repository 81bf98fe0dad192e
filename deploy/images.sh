#!/usr/bin/env bash
# Build every image with buildah, without Docker and without a registry: `make images`.
#
# The base image python:3.11-slim is used where it is already in the store or can be pulled; else Debian's own Python
# is packed into an image of that name (needs root for debootstrap). Images land in the store of $VOXGATE_CONTAINERS.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/containers.sh
need buildah podman

base=docker.io/library/python:3.11-slim
if ! podman image exists "$base" && ! timeout 60 podman pull --quiet "$base" >/dev/null 2>&1; then
  import_base "$base"
fi

# pip inside the build sees this machine's own settings and certificates, and leaves neither in an image.
build=(--pull-never --layers --isolation chroot --ignorefile deploy/docker/Dockerfile.dockerignore -f deploy/docker/Dockerfile)
pip_settings=/etc/pip.conf
[[ -e $pip_settings ]] || pip_settings=/dev/null
build+=(--secret "id=pip,src=$pip_settings")
certificates=/etc/ssl/certs/ca-certificates.crt
[[ -e $certificates ]] && build+=(-v "$certificates:$certificates:ro")

for image in "${@:-${images[@]}}"; do
  echo "building voxgate/$image"
  buildah bud "${build[@]}" --build-arg "IMAGE=$image" --target "$image" -t "localhost/voxgate/$image:latest" . >"$scratch/build-$image.log" 2>&1 ||
    { tail -40 "$scratch/build-$image.log" >&2; exit 1; }
done
# Layers of earlier builds serve as a cache for two days.
podman image prune --force --filter until=48h >/dev/null
podman images --filter reference='localhost/voxgate/*' --format '{{.Repository}}:{{.Tag}}  {{.Size}}'
