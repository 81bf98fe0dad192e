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
            return Reply(value, BYTES, headers={"Accept-Ranges": "bytes"})
        case "HEAD":
            found = instance.get(node, name) is not None
            return Reply(b"", None, 200 if found else 404, {"Accept-Ranges": "bytes"} if found else {})
        case "POST":
            instance.put(node, name, request.body)
            return Reply(content_type=None)
        case "DELETE":
            instance.put(node, name, None)
            return Reply(content_type=None)
    raise Refused(f'key endpoint does not support "{request.method.lower()}" HTTP verb')


def keys(node: Node, instance: KeyValueInstance, request: Request) -> Reply:
    return json_reply(instance.keys(node))


def key_range(node: Node, instance: KeyValueInstance, request: Request) -> Reply:
    """Keys between two, both included."""
    if len(request.parts) < 6:
        raise Refused("expect beginning and end keys to follow 'keyrange' endpoint")
    low, high = request.parts[4:6]
    return json_reply([name for name in instance.keys(node) if low <= name <= high])
