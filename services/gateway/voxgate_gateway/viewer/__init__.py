"""neuroglancer's own web client, served from here: `/view/NAME/-` lays a volume out, `/viewer/` is the client."""

from voxgate_gateway.viewer.routes import ROUTES

__all__ = ["ROUTES"]
