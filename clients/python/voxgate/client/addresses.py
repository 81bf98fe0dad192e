"""Addresses of servers as people write them, and as gRPC takes them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from voxgate.model.errors import InvalidArgument

_USE = 'use "host:port", or several addresses with commas between: "10.0.0.7:50051,10.0.0.8:50051"'

_DNS = re.compile("^dns://[^/]*/")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a channel goes.

    Attributes:
        uri: as gRPC takes it.
        is_balanced: whether calls are spread over every address that it has. Not over those of a name that means this
            machine: "localhost" is two addresses of one server, and of the second somebody else may have the port.
    """

    uri: str
    is_balanced: bool


def is_this_machine(address: str) -> bool:
    """Whether every address of an address is of this machine."""
    return all(_is_loopback(each) for each in _DNS.sub("", address).removeprefix("dns:").split(","))


def _is_loopback(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    plain = address.removeprefix("ipv4:").removeprefix("ipv6:")
    host = (plain.rpartition(":")[0] if plain.count(":") == 1 or plain.startswith("[") else plain).strip("[]").lower()
    if host.removesuffix(".").rpartition(".")[2] == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_target(address: str) -> Target:
    """The target of an address: "host:port", "dns:///host:port" ("dns://SERVER/host:port"), IP addresses with commas.

    Raises:
        InvalidArgument: for something that is none.
    """
    plain = _DNS.sub("", address)
    if ("/" in plain and not plain.startswith("unix:")) or not plain.strip() or " " in plain:
        raise InvalidArgument(f"{address!r} is not an address", _USE)
    if "," not in plain:
        return Target(address, not is_this_machine(address))
    return Target(_several(address, plain.removeprefix("ipv4:").removeprefix("ipv6:").split(",")), True)


def _several(address: str, each: list[str]) -> str:
    versions = set()
    for one in each:
        host, colon, port = one.rpartition(":")
        try:
            versions.add(ipaddress.ip_address(host.strip("[]")).version)
        except ValueError:
            raise InvalidArgument(f"{one!r} in {address!r} is no IP address", f"{_USE}, or one name for all") from None
        if not colon or not port.isdecimal():
            raise InvalidArgument(f"{one!r} in {address!r} has no port", _USE)
    if len(versions) > 1:
        raise InvalidArgument(f"{address!r} mixes IPv4 and IPv6", "name the replicas by one kind, or by a DNS name")
    return f"ipv{versions.pop()}:{','.join(each)}"
