"""Where stores may send us, and where names may lead: every scheme of remote, every dialect, every encoding of `..`."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from abuse.serving import PATIENCE_S, Suite, raw_channel

from support.plain_http import get, said
from voxgate.model.errors import VoxgateError
from voxgate.model.volumes import CallContext
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry

STATUSES = (301, 302, 303, 307, 308)


@dataclass
class Door:
    """A web server of ours that counts who comes, and sends everybody on to `location`, if there is one."""

    location: str = ""
    status: int = 302
    port: int = 0
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def door(location: str = "", status: int = 302) -> Iterator[Door]:
    """A `Door` that is open."""
    told = Door(location, status)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(told.status if told.location else 200)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


def configured(port: int) -> dict[str, RemoteConfig]:
    """A remote of each scheme whose server is at a port of this machine."""
    here = f"127.0.0.1:{port}"
    s3 = {"endpoint": f"http://{here}", "anonymous": True, "timeout_s": 3}
    return {
        "http": RemoteConfig(uri=f"http://{here}/data", options={"timeout_s": 3}),
        "dvid": RemoteConfig(uri=f"dvid://http://{here}"),
        "bossdb": RemoteConfig(uri=f"bossdb://http://{here}"),
        "s3": RemoteConfig(uri="s3://bucket/data", options=s3),
    }


def asked_everything(name: str, config: RemoteConfig) -> list[str]:
    """Open and list what a remote has; which typed errors that ended in. Others are raised."""
    ended = []
    registry = Registry.from_config(RemotesConfig(remotes={name: config}))
    registry = registry.for_caller(CallContext(time.monotonic() + PATIENCE_S))
    for act in (
        lambda: registry.open(f"{name}/a/b/c"),
        lambda: registry.open(f"{name}/volume"),
        lambda: registry.list(name),
        lambda: registry.key_values(f"{name}/a"),
    ):
        try:
            act()
            ended.append("taken")
        except VoxgateError as error:
            ended.append(error.reason)
    return ended


def redirected() -> Iterator[tuple[str, str, str]]:
    """Every scheme sent to a private address by every status: its name, how it ended, what was wrong."""
    for name, status in itertools.product(("http", "dvid", "bossdb", "s3"), STATUSES):
        with door() as secret, door(status=status) as store:
            store.location = f"http://127.0.0.1:{secret.port}/latest/meta-data"
            try:
                ended, fault = asked_everything(name, configured(store.port)[name]), ""
            except Exception as error:  # noqa: BLE001  (this is what is looked for)
                ended, fault = [], f"{type(error).__name__}: {str(error)[:200]}"
            if secret.asked:
                fault = f"it followed the redirect to {secret.asked[0]}"
            if not store.asked and not fault:
                fault = "the store was not asked, so nothing was seen"
            yield f"{name}: {status} to a private address", ", ".join(ended), fault


DOTS = (
    "..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "..%2f", "..%5c", "..%00", "%c0%ae%c0%ae", "%uff0e%uff0e",
    "%ef%bc%8e%ef%bc%8e", "..;", "....//", "..%c0%af", "\\..", ".", "%2e", "%2f", "%2fetc", "%5c..", "",
)  # fmt: skip
_ADDRESSES = (
    "/ng/{name}/-/info", "/ng/files/seg/-/{name}", "/zarr/{name}/-/zarr.json", "/zarr/{name}/-/.zattrs",
    "/zarr/files/seg/-/{name}/zarr.json", "/v1/cutout/{name}/0/0:2/0:2/0:2/", "/latest/collection/{name}/",
    "/v1/meta/{name}/?key=a", "/api/v1/volumes/{quoted}/info", "/api/v1/volumes/{quoted}/meshes/{name}",
    "/view/{name}/-", "/preview/{name}", "/protos/{name}", "/static/{name}", "/viewer/v/1/{name}", "/jobs/{name}",
)  # fmt: skip
MARK = b"nobody-may-read-this"


def names() -> Iterator[str]:
    """Names that lead out, if anything takes them apart wrongly."""
    for dots, depth in itertools.product(DOTS, (1, 2, 6)):
        climb = "/".join([dots] * depth)
        yield f"files/{climb}/secret"
        yield f"files/seg/{climb}/secret"
        yield f"{climb}/secret"


def traversed(suite: Suite) -> Iterator[tuple[str, int, str]]:
    """Every dialect and every gRPC method that takes a name: what was asked, how often, what was wrong.

    A file `secret/info` with a mark in it lies beside the roots of the suite's remotes.
    """
    count = dict.fromkeys(_ADDRESSES, 0)
    for address in _ADDRESSES:
        fault = ""
        for name in names():
            target = address.format(name=name, quoted=name.replace("/", "%2F"))
            answer = said(suite.http_port, get(target), timeout=PATIENCE_S)
            count[address] += 1
            if MARK in answer:
                fault = f"{target} was read"
            elif answer[9:12] == b"500":
                fault = f"{target} is a fault"
        yield address, count[address], fault
    yield from _over_grpc(suite)


def _over_grpc(suite: Suite) -> Iterator[tuple[str, int, str]]:
    from abuse.messages import methods
    from google.protobuf import message_factory

    for method in methods():
        fields = [
            field for field in method.input_type.fields if field.name in ("volume", "parent", "name", "uri", "file")
        ]
        if method.client_streaming or not fields:
            continue
        count, fault = 0, ""
        with raw_channel(suite.grpc) as channel:
            path = f"/{method.containing_service.full_name}/{method.name}"
            call = channel.unary_stream(path)
            for name in [*names(), "file:///etc/passwd", "/etc/passwd", "files/\0", "files/a\0b"]:
                request = message_factory.GetMessageClass(method.input_type)()
                for each in fields:
                    setattr(request, each.name, name)
                count += 1
                try:
                    found = b"".join(call(request.SerializeToString(), timeout=PATIENCE_S))
                    fault = f"{name} was read" if MARK in found else fault
                except grpc.RpcError as error:
                    if error.code().name in ("INTERNAL", "UNKNOWN"):
                        fault = f"{name}: {error.details()}"
        yield path, count, fault
