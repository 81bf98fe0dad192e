"""The gRPC services behind the gateway, as the few calls that dialects need: the only package that speaks gRPC."""

from voxgate_gateway.backend.described import MAX_AGE_S, Described, Listed, VolumeRef
from voxgate_gateway.backend.volumes import Backend

__all__ = ["MAX_AGE_S", "Backend", "Described", "Listed", "VolumeRef"]
