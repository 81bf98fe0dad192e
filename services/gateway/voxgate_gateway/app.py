"""The ASGI application: the routes of every dialect over one backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from voxgate.model.errors import VoxgateError
from voxgate_gateway import bossdb, health, home, jobs, page, precomputed, preview, viewer
from voxgate_gateway.answers import on_fault, on_http_error, on_voxgate_error
from voxgate_gateway.backend import Backend
from voxgate_gateway.backend.forwarding import Forwarder
from voxgate_gateway.backend.ways import Way
from voxgate_gateway.http.events import STREAMS_AT_A_TIME
from voxgate_gateway.http.headers import CommonHeaders, common_headers
from voxgate_gateway.making import Making
from voxgate_gateway.observing import Observed, RequestObserver
from voxgate_gateway.prefix import ForwardedPrefix
from voxgate_gateway.rest import routes as rest
from voxgate_gateway.rest.streaming import Turns
from voxgate_gateway.settings import GatewaySettings
from voxgate_gateway.web import routes as web
from voxgate_gateway.zarr import routes as zarr

_READY_THREADS = 2


def create_app(
    backend_address: str, settings: GatewaySettings | None = None, observer: RequestObserver | None = None
) -> Starlette:
    """Build the gateway's application.

    Args:
        backend_address: "host:port" (or any gRPC target) of the volume server.
        settings: `[gateway]` of voxgate.toml; None for the defaults.
        observer: notices its requests.
    """
    settings = settings or GatewaySettings()
    headers = common_headers(settings.cors_origin)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        way = Way(settings.services_tls.tls)
        backend = Backend(backend_address, way)
        app.state.backend = backend
        app.state.forwarder = forwarder = Forwarder(backend_address, way)
        app.state.making = making = Making()
        app.state.event_streams = asyncio.Semaphore(STREAMS_AT_A_TIME)
        app.state.turns = Turns()
        app.state.ready_limiter = anyio.CapacityLimiter(_READY_THREADS)
        # Starlette runs handlers that are plain functions in this pool.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        try:
            yield
        finally:
            making.close()
            await forwarder.close()
            backend.close()

    app = Starlette(
        # In this order: chunks come by the thousand, and pages one at a time.
        routes=[
            *precomputed.ROUTES,
            *zarr.ROUTES,
            *bossdb.ROUTES,
            *health.ROUTES,
            *home.ROUTES,
            *page.ROUTES,
            *jobs.ROUTES,
            *preview.ROUTES,
            *viewer.ROUTES,
            *rest.ROUTES,
            *web.ROUTES,
        ],
        middleware=[
            Middleware(Observed, observer=observer or RequestObserver()),
            Middleware(CommonHeaders, headers=headers, allowed=rest.allowed_methods),
            Middleware(ForwardedPrefix),
        ],
        exception_handlers={VoxgateError: on_voxgate_error, HTTPException: on_http_error, Exception: on_fault},
        lifespan=lifespan,
    )
    app.state.common_headers = headers
    app.state.takes_changes = True
    app.state.bossdb = bossdb.Dialect(settings.bossdb)
    app.state.precomputed = settings.precomputed
    app.state.backend_address = backend_address
    return app
