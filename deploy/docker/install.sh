#!/bin/sh
# Run in builder stages of the Dockerfile: fills /layer with what one layer of an image adds to /opt/voxgate.
#   install.sh releases NAME [BELOW]   the hashed releases of NAME.lock that BELOW.lock, the layer beneath, does not have
#   install.sh rooms NAME              the suite's own distributions that NAME.in lists, from /wheels
# Same input, same bytes: compiled modules carry a hash of their source and no time, and paths where they will be.
set -eu
layer=/layer
cd /requirements

add() {
  /opt/voxgate/bin/python3 -m pip --disable-pip-version-check install --no-compile --no-deps --no-warn-script-location \
    --prefix "$layer" "$@"
}

mkdir -p "$layer"
case $1 in
  releases)
    # A release is a line NAME==VERSION with the indented lines of its hashes.
    below=/dev/null
    [ $# -lt 3 ] || below=$3.lock
    awk -v below="$below" 'BEGIN {while ((getline line <below) > 0) {split(line, word); has[word[1]]}}
      /==/ {wanted = !($1 in has)} wanted' "$2.lock" >layer.txt
    add --require-hashes -r layer.txt
    # Tests of other projects are of no use here, and a tenth of the size.
    find "$layer" -type d -name tests -prune -exec rm -rf {} +
    ;;
  rooms)
    sed -n -e 's|^-e clients/python.*|voxgate|p' -e 's|^-e services/\([a-z]*\).*|voxgate-\1|p' -e 's|^-e \([a-z]*\)\(\[.*\]\)*$|voxgate-\1|p' \
      "$2.in" >layer.txt
    add --no-index --find-links /wheels -r layer.txt
    ;;
esac
/opt/voxgate/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$layer" -p /opt/voxgate "$layer/lib"
