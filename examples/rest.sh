#!/bin/sh
# Any volume from a shell: list, describe, cut out, draw, mesh. Needs curl and nothing of ours.
#
# Start a server with the sample volumes in another terminal: `voxgate serve`. VOXGATE_URL is another one's gateway.
set -eu
at="${VOXGATE_URL:-http://localhost:8080}/api/v1"
get() { curl --silent --show-error --fail-with-body --globoff "$@"; }

# What there is, and what one volume is.
get "$at/volumes?prefix=fib25"; echo
get "$at/volumes/fib25/em/-/info"; echo

# A box of voxels as a file that numpy loads; curl fails when not every byte came.
get --output em.npy "$at/volumes/fib25/em/-/cutout?x=1100:1164&y=2080:2112&z=3010:3020"

# A section of the image, and the same section of the segmentation, coloured as neuroglancer colours it.
get --output em.png "$at/volumes/fib25/em/-/slice?z=3050"
get --output seg.png "$at/volumes/fib25/seg/-/slice?z=3050"

# The segment at a place, and its mesh. Ids are strings: they are larger than what most readers of JSON keep.
get "$at/volumes/fib25/seg/-/segments/at?points=1158,2123,3050" > at.json
segment=$(sed 's/.*"ids":\["\([0-9]*\)".*/\1/' at.json)
get --output body.ply "$at/volumes/fib25/seg/-/segments/$segment/mesh.ply"
echo "segment $segment"
