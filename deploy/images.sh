#!/usr/bin/env bash
# Build every image with buildah, without Docker and without a registry: `make images`. Names choose some of them.
#
# The base image python:3.11-slim is used where it is already in the store or can be pulled; else Debian's own Python
# is packed into an image of that name (needs root for debootstrap). Images land in the store of $VOXGATE_CONTAINERS.
# The same tree on the same base gives the same layers, byte by byte, and the same configuration: --twice builds anew and
# compares. An image's own digest still differs: buildah writes the names of its intermediate steps into the history.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/containers.sh
need buildah podman

need_base

twice=
[[ ${1:-} == --twice ]] && twice=yes && shift

build=("${building[@]}" --timestamp 0 -f deploy/docker/Dockerfile)
build+=(--build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' clients/python/pyproject.toml)")
if revision=$(git rev-parse HEAD 2>/dev/null); then
  build+=(--build-arg "REVISION=$revision" --build-arg "CREATED=$(git show --no-patch --format=%cI HEAD)")
fi

# build_image NAME TAG [OPTION]...
build_image() {
  local image=$1 tag=$2
  shift 2
  buildah bud "${build[@]}" "$@" --target "$image" -t "$tag" . >"$scratch/build-$image.log" 2>&1 ||
    { tail -40 "$scratch/build-$image.log" >&2; exit 1; }
}

for image in "${@:-${images[@]}}"; do
  started=$SECONDS
  build_image "$image" "$(reference "$image")"
  echo "built $(reference "$image") in $((SECONDS - started)) s"
done

if [[ $twice ]]; then
  # These two have every layer that there is; the others' are the lower ones.
  for image in standalone gateway; do
    started=$SECONDS
    build_image "$image" localhost/voxgate/again --no-cache
    for name in "$(reference "$image")" localhost/voxgate/again; do
      podman image inspect --format '{{json .RootFS.Layers}} {{json .Config}}' "$name"
    done | uniq | wc -l | grep -qx 1 || { echo "two builds of $image differ" >&2; exit 1; }
    podman untag localhost/voxgate/again
    echo "$image built anew in $((SECONDS - started)) s: every layer and the configuration are the same"
  done
fi
# Layers of earlier builds serve as a cache, until there are many.
(($(podman images --filter dangling=true --quiet | wc -l) < 150)) || podman image prune --force >/dev/null
for image in "${@:-${images[@]}}"; do
  name=$(reference "$image")
  own=$(podman history --format '{{.Size}}' "$name" | awk '!found && $0 != "0 B" {print; found = 1}')
  podman image inspect --format '{{.Size}}' "$name" |
    awk -v name="$name" -v own="$own" '{printf "%-36s %5.0f MB, its own code %s\n", name, $1 / 1e6, own}'
done
