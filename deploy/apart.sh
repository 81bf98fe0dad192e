#!/usr/bin/env bash
# Run a command in namespaces of its own, of which only a folder is shared: `deploy/apart.sh FOLDER COMMAND…`. FOLDER is
# seen as /data, as in the documents. Ports published to every address are published to this namespace, and reach nobody.
set -euo pipefail
folder=$(realpath "$1")
shift
inside='ip link set lo up && mount -t tmpfs tmpfs /run && mount --bind "$0" /data && exec "$@"'
made=
[[ -d /data ]] || { mkdir /data && made=yes; }
code=0
unshare --net --mount bash -c "$inside" "$folder" "$@" || code=$?
[[ ! $made ]] || rmdir /data
exit "$code"
