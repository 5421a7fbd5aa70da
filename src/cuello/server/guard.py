"""Checks that every request passes first: host, origin, content type, size."""

from __future__ import annotations

import ipaddress
import json
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cuello.server.problems import Refused

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
    """Refuses requests before the application sees them.

    - A ``Host`` that is not this machine (400): a foreign site whose name is made to point here
      (DNS rebinding) could otherwise read everything. Where others may connect, any address in
      numbers will do, as no name can be pointed elsewhere.
    - A page of another origin that asks (403), or sends what needs no permission to be sent (415).
    - More than ``max_bytes`` (413), counted while they arrive.

    Parameters
    ----------
    app : ASGI application
        Gets the requests that pass.
    host : str
        Address that the server listens on.
    max_bytes : int
        Most bytes of a body.
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", max_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self.app = app
        self.hosts = _HERE | {host.casefold()}
        self.open = host.casefold() not in _HERE
        self.max_bytes = max_bytes

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
                known = {name.lower() for name, _ in message["headers"]}
                more = [(k, v) for k, v in _HEADERS.items() if k not in known]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        try:
            self._check(scope)
            body = await self._body(receive)
        except Refused as refused:
            await _answer(refused, hardened)
            return
        if body is None:  # the client has gone
            return
        await self.app(scope, _again(body, receive), hardened)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if host not in self.hosts and not (self.open and _is_address(host)):
            raise Refused(
                400,
                f"the Host header names {host!r}; open http://127.0.0.1 with the port that was "
                "printed, or start with --host.",
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host", "")
        if scope["path"].startswith("/api") and (foreign or site in ("cross-site", "same-site")):
            raise Refused(403, "only the page that is served here may send requests.")
        kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
        if scope["method"] == "POST" and kind != "application/json":
            raise Refused(415, f"Content-Type is {kind!r}; send application/json.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_bytes:
            raise self._too_large()

    async def _body(self, receive: Receive) -> bytes | None:
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> Refused:
        return Refused(413, f"the body may have {self.max_bytes:,} bytes; send fewer samples.")


def _name(host: str) -> str:
    """Return a Host header without its port, of IPv6 without its brackets; empty if it is none."""
    found = _HOST.fullmatch(host)
    return "" if found is None else (found["v6"] or found["name"]).casefold()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body, and then whatever comes next."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again


async def _answer(refused: Refused, send: Send) -> None:
    body = json.dumps({"detail": refused.detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
