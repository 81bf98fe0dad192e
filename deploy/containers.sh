# Shared by images.sh, postgres.sh and demo-containers.sh: where containers live, and what podman needs on a bare machine. Sourced.
#
# Everything is kept out of the machine's own container store: $VOXGATE_CONTAINERS, by default below ~/.cache.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/voxgate"
scratch="${VOXGATE_CONTAINERS:-$cache/containers}"
images=(volume mesh transfer gateway standalone)
mkdir -p "$cache" "$scratch"

# reference NAME: what an image is called; the all-in-one is called as the suite.
reference() {
  if [[ $1 == standalone ]]; then echo localhost/voxgate:latest; else echo "localhost/voxgate/$1:latest"; fi
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    echo "$tool is missing; install: podman buildah runc catatonit debootstrap fuse-overlayfs netavark aardvark-dns iptables" >&2
    exit 3
  done
}

# Limits that a container without CAP_SYS_RESOURCE may set, and the runtime that copes with hybrid cgroups.
cat >"$scratch/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
CONF
cat >"$scratch/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$scratch/storage"
runroot = "$scratch/run"
CONF
export CONTAINERS_CONF="$scratch/containers.conf" CONTAINERS_STORAGE_CONF="$scratch/storage.conf"

# import_base NAME: pack Debian's Python 3.11 into an image of that name; the tree is cached.
import_base() {
  local tree="$cache/base-bookworm-2.tar" root mirror
  if [[ ! -e $tree ]]; then
    need debootstrap
    mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' | awk '$1 == "bookworm" && $2 == "main" {print $3; exit}')
    root=$(mktemp -d "$cache/base.XXXXXX")
    echo "making the base image from Debian packages (about a minute, once)"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" ${mirror:+"$mirror"} >"$scratch/debootstrap.log" 2>&1 ||
      { tail -20 "$scratch/debootstrap.log" >&2; exit 1; }
    # What only people read, and what apt has fetched; copyrights stay.
    rm -rf "$root"/usr/share/{man,info,locale} "$root"/var/{cache/apt,lib/apt/lists,log}/*
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    tar -C "$root" --sort=name --numeric-owner -c . >"$tree.part" && mv "$tree.part" "$tree"
    rm -rf "$root"
  fi
  podman import --quiet --change 'CMD ["python3"]' "$tree" "$1" >/dev/null
}

# need_base: have python:3.11-slim in the store, pulled or made.
need_base() {
  local base=docker.io/library/python:3.11-slim
  podman image exists "$base" || timeout 60 podman pull --quiet "$base" >/dev/null 2>&1 || import_base "$base"
}

# How every image is built. Health checks are Docker's format. pip inside the build sees this machine's own settings and
# certificates, and leaves neither in an image.
building=(--pull-never --layers --isolation chroot --format docker --ignorefile deploy/docker/Dockerfile.dockerignore)
if [[ -e /etc/pip.conf ]]; then building+=(--secret id=pip,src=/etc/pip.conf); else building+=(--secret id=pip,src=/dev/null); fi
certificates=/etc/ssl/certs/ca-certificates.crt
[[ ! -e $certificates ]] || building+=(-v "$certificates:$certificates:ro")
