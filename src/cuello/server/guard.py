"""Checks that every request passes first: host, origin, content type, size."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY_BYTES", "Guard"]

MAX_BODY_BYTES = 8 * 2**20
"""Most bytes of a request's body."""
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]+))(:\d{1,5})?", re.ASCII)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


class Guard:
    """Refuses requests before the application, which listens on ``host``, sees them.

    - A ``Host`` that is not this machine (400): a foreign site whose name is made to point here
      (DNS rebinding) could otherwise read everything. Where others may connect, any address in
      numbers will do, as no name can be pointed elsewhere.
    - A page of another origin that asks (403), or sends what needs no permission to be sent (415).
    - More than :data:`MAX_BODY_BYTES` (413), counted while they arrive.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1") -> None:
        self.app = app
        self.hosts = _HERE | {host.casefold()}
        self.open = host.casefold() not in _HERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                more = [(k, v) for k, v in _HEADERS.items() if k not in present]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            self._check(scope)
            body = await _read_body(receive)
        except HTTPException as refused:
            answer = JSONResponse({"detail": refused.detail}, refused.status_code)
            await answer(scope, receive, hardened)
            return
        if body is None:  # the client has gone
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, receive_again, hardened)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        match = _HOST.fullmatch(headers.get("host", ""))  # without port; of IPv6 without brackets
        host = "" if match is None else (match["v6"] or match["name"]).casefold()
        if host not in self.hosts and not (self.open and _is_address(host)):
            raise HTTPException(
                400,
                f"the Host header names {host!r}; open http://127.0.0.1 with the port that was "
                "printed, or start with --host.",
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host", "")
        if scope["path"].startswith("/api") and (foreign or site in ("cross-site", "same-site")):
            raise HTTPException(403, "only the page that is served here may send requests.")
        kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
        if scope["method"] == "POST" and kind != "application/json":
            raise HTTPException(415, f"Content-Type is {kind!r}; send application/json.")
        length = headers.get("content-length", "0")
        if length.isdecimal():
            _check_length(int(length))


async def _read_body(receive: Receive) -> bytes | None:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        _check_length(size)
        more = message.get("more_body", False)
    return b"".join(parts)


def _check_length(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise HTTPException(413, f"the body may have {MAX_BODY_BYTES:,} bytes; send fewer samples.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
