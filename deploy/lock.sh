#!/usr/bin/env bash
# Cut requirements.lock into what each image needs: the same releases and hashes, no tools. Run after `make lock`.
set -euo pipefail
cd "$(dirname "$0")/.."
# compressed-segmentation declares pytest and never imports it.
unused=(pytest)
members=(voxgate voxgate-{remotes,blocks,serving,jobs,volume,mesh,transfer,gateway,standalone})
for list in deploy/requirements/*.in; do
  uv pip compile "$list" --quiet -c requirements.lock -c constraints.in --python-version 3.11 --python-platform linux \
    --generate-hashes --no-emit-index-url --no-header --no-annotate "${members[@]/#/--no-emit-package=}" "${unused[@]/#/--no-emit-package=}" \
    -o "${list%.in}.lock"
done
uv pip compile deploy/tools.in --quiet --python-version 3.11 --python-platform linux \
  --generate-hashes --no-emit-index-url --no-header --no-annotate -o deploy/tools.lock
