#!/usr/bin/env bash
# Play the one-replica render (the workstation, on loopback) with podman, check it, run the demo against it, and take everything down:
# `make demo-containers`. Needs the images of deploy/images.sh and Linux with podman; writes only below $VOXGATE_CONTAINERS.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/containers.sh
need podman runc curl
render=deploy/k8s/rendered/one-replica.yaml
services=(volume mesh transfer gateway)
python="${PY:-.venv/bin/python}"

down() {
  podman play kube --down "$render" >/dev/null 2>&1 || true
  podman volume rm --force data scratch state voxgate-config >/dev/null 2>&1 || true
}

# What went wrong inside, when something did; then nothing of this run is left, whatever happened.
finish() {
  local code=$?
  if ((code != 0)); then
    for service in "${services[@]}"; do
      echo "--- $service" >&2
      podman logs --tail 15 "$service-pod-0-$service" >&2 2>/dev/null || true
    done
  fi
  down
  exit "$code"
}
trap finish EXIT

down
podman play kube --start=false "$render" >/dev/null
# The claim's content: the samples, owned by the user the containers run as. The other claims start empty.
stage=$(mktemp -d "$scratch/data.XXXXXX")
cp -r samples/fib25 samples/aniso "$stage"
chmod 755 "$stage"
tar -C "$stage" --owner 65532 --group 65532 -c . | podman volume import data -
rm -rf "$stage"
# podman has no systemd here to run probes with, and says so on every start.
podman pod start "${services[@]/%/-pod-0}" >/dev/null 2>"$scratch/start.log" || { cat "$scratch/start.log" >&2; exit 1; }
echo "playing ${services[*]}: gRPC localhost:50151, HTTP http://localhost:50180"

"$python" deploy/check_containers.py
"$python" -m tools.demo --server localhost:50151 --output demo-output/containers

# Every process ends by itself on SIGTERM, well within its grace.
for service in "${services[@]}"; do
  container="$service-pod-0-$service"
  podman stop --time 40 "$container" >/dev/null 2>&1
  code=$(podman inspect --format '{{.State.ExitCode}}' "$container")
  [[ $code == 0 ]] || { echo "$service ended with $code on SIGTERM" >&2; exit 1; }
done
echo "all four ended cleanly"
