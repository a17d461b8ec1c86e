"""A provider's host of its own on loopback, for official clients that can be told a host, but no path to put before theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

_NOT_PASSED_ON = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-encoding"})


@asynccontextmanager
async def own_host(base_url: str) -> AsyncIterator[str]:
    """Serves what is under `base_url` at the root of a host: method, path, query, headers and body are passed on as they are."""
    async with aiohttp.ClientSession(auto_decompress=False) as inside:

        async def passed_on(request: web.Request) -> web.Response:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
            body = await request.read()
            async with inside.request(
                request.method, base_url + request.path_qs, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                said = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_ON}
                return web.Response(status=answer.status, body=await answer.read(), headers=said)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()
