"""Requests to a key-value instance."""

from __future__ import annotations

from .graph import Node
from .keyvalues import KeyValueInstance
from .wire import BYTES, PLAIN, Refused, Reply, Request, json_reply


def key(node: Node, instance: KeyValueInstance, request: Request) -> Reply:
    """One value. What follows a slash in the key, escaped or not, is lost: `a/b` is `a`."""
    if len(request.parts) < 5 or not request.parts[4]:
        raise Refused("expect key string to follow 'key' endpoint")
    name = request.parts[4]
    match request.method:
        case "GET":
            value = instance.get(node, name)
            if value is None:
                return Reply(f'Key "{name}" not found\n'.encode(), PLAIN, 404)
            return _ranged(value, request.range)
        case "HEAD":
            found = name in instance.keys(node)  # a value without bytes, too, which GET does not find
            return Reply(b"", None, 200 if found else 404, {"Accept-Ranges": "bytes"} if found else {})
        case "POST":
            instance.put(node, name, request.body)
            return Reply(content_type=None)
        case "DELETE":
            instance.put(node, name, None)
            return Reply(content_type=None)
    raise Refused(f'key endpoint does not support "{request.method.lower()}" HTTP verb')


def _ranged(value: bytes, wanted: str) -> Reply:
    """One range of a value, or all of it; says its length however long it is."""
    size, headers = len(value), {"Accept-Ranges": "bytes"}
    first, dash, last = wanted.removeprefix("bytes=").partition("-")
    if not dash:
        return Reply(value, BYTES, headers=headers | {"Content-Length": str(size)})
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        text = f"Range start {start} is outside value with {size} bytes\n"
        return Reply(text.encode(), PLAIN, 416, {"Content-Range": f"bytes */{size}"})
    part = {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return Reply(value[start:end], BYTES, 206, headers | part)


def keys(node: Node, instance: KeyValueInstance, request: Request) -> Reply:
    return json_reply(instance.keys(node))


def key_range(node: Node, instance: KeyValueInstance, request: Request) -> Reply:
    """Keys between two, both included."""
    if len(request.parts) < 6:
        raise Refused("expect beginning and end keys to follow 'keyrange' endpoint")
    low, high = request.parts[4:6]
    return json_reply([name for name in instance.keys(node) if low <= name <= high])
