"""What people paste into other programs to read a volume, as text; each is what a test runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from voxgate.model.errors import VoxgateError
from voxgate.model.volumes import VolumeInfo
from voxgate_gateway import precomputed
from voxgate_gateway.zarr import image as zarr_image


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way to read a volume.

    Attributes:
        name: of the program.
        text: what to paste; or why there is nothing to.
        works: whether there is.
    """

    name: str
    text: str
    works: bool = True


def path_of(name: str) -> str:
    """A volume's name in an address; it is percent-encoded already, and must be so for whoever decodes it once."""
    return quote(name, safe="/%+~")


def snippets(info: VolumeInfo, base: str, grpc_address: str) -> list[Snippet]:
    """Every program with what to paste into it.

    Args:
        info: the volume.
        base: the address of the first page, without a slash at its end.
        grpc_address: "host:port" of the volume server.
    """
    path = path_of(info.name)
    kind = "seg" if info.kind.value == "segmentation" else "em"
    python = f'import voxgate\n{kind} = voxgate.connect("{grpc_address}").volume("{info.name}")'
    found = [Snippet("Python", python)]
    source = f"precomputed://{base}/ng/{path}/-"
    refused = _refusal(precomputed.refuse_unsupported, info)
    if refused:
        found.append(Snippet("neuroglancer", refused, works=False))
    else:
        found += [
            Snippet("neuroglancer", source),
            Snippet("cloud-volume", f'from cloudvolume import CloudVolume\n{kind} = CloudVolume("{source}")'),
        ]
    refused = _refusal(zarr_image.refuse_unsupported, info)
    if refused:
        found.append(Snippet("zarr", refused, works=False))
    else:
        found.append(Snippet("zarr", f'import zarr\n{kind} = zarr.open("{base}/zarr/{path}/-", mode="r")["0"]'))
    if found[1].works:
        found.append(Snippet("curl", f"curl {base}/ng/{path}/-/info"))
    elif found[-1].works:
        found.append(Snippet("curl", f"curl {base}/zarr/{path}/-/zarr.json"))
    return found


def grpc_address_for(backend: str, base: str) -> str:
    """Where whoever reads a page at `base` reaches the volume server that the gateway reaches at `backend`.

    A server on the gateway's own machine is on the machine that the page came from, as far as anybody can tell.
    """
    host, _, port = backend.rpartition(":")
    if host.strip("[]") not in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::"):  # noqa: S104  (compared, not bound)
        return backend
    seen = urlsplit(base).hostname or "localhost"
    return f"[{seen}]:{port}" if ":" in seen else f"{seen}:{port}"


def _refusal(check: Callable[[VolumeInfo], None], info: VolumeInfo) -> str:
    try:
        check(info)
    except VoxgateError as error:
        return str(error)
    return ""
