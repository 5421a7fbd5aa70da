"""Who may ask, and how much at once."""

from __future__ import annotations

import asyncio

import pytest
from server_samples import Client

from cuello.server.guard import MAX_BODY_BYTES, Guard
from cuello.server.serving import app_for

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def asked(made):
    return Client(app_for(made("table")))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000"),
    ],
)
def test_names_of_this_machine(asked, host):
    asked.get("/api/info", headers={"host": host})


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("", "192.168.0.7:8000", "0.0.0.0", "evil@127.0.0.1x", "[::1", "127.0.0.1:8000,evil"),
    ],
)
def test_other_names_are_refused_everywhere(asked, host):
    for url in ("/", "/api/info", "/api/openapi.json", "/nothing"):
        detail = asked.get(url, code=400, headers={"host": host})["detail"]
        assert detail.startswith("the Host header names")


def test_a_server_for_others_answers_to_addresses_and_its_host_name(made):
    asked = Client(app_for(made("table"), host="box.local"))
    for host in ("box.local:80", "192.168.0.7:8000", "[fe80::1]:80", "localhost"):
        asked.get("/api/info", headers={"host": host})
    asked.get("/api/info", code=400, headers={"host": "evil.example"})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_others_are_refused(asked, headers):
    asked.get("/api/info", code=403, headers=headers)
    asked.post("/api/refit", {}, code=403, headers=headers)


def test_the_served_page_may_ask_and_nobody_is_allowed_more(asked):
    same = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    response = asked.ask("GET", "/api/info", headers=same)
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]
    preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    assert asked.ask("OPTIONS", "/api/labels", headers=preflight).status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_what_a_foreign_form_can_send_is_refused(asked, kind):
    headers = {"content-type": kind}
    detail = asked.post("/api/refit", code=415, content="{}", headers=headers)["detail"]
    assert "send application/json" in detail


@pytest.mark.parametrize("url", ["/", "/api/info", "/nothing", "/api/samples/x"])
def test_browsers_are_told_to_keep_it_apart(asked, url):
    headers = asked.ask("GET", url).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_large_bodies_are_refused_by_what_they_say_and_by_what_arrives(asked):
    body = b" " * (MAX_BODY_BYTES + 1)
    detail = asked.post("/api/encode", code=413, content=body, headers=JSON)["detail"]
    assert "8,388,608 bytes" in detail

    async def pieces():
        for _ in range(9):
            yield b" " * 2**20

    asked.post("/api/encode", code=413, content=pieces(), headers=JSON)
    asked.post("/api/encode", code=413, content="", headers=JSON | {"content-length": "9" * 30})


def reply(scope, messages):
    """Send one request straight to a guard before an application that says 'in'."""
    sent, left = [], list(messages)

    async def app(scope, receive, send):
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in:" + body})

    async def receive():
        return left.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app)(scope, receive, send))
    return sent, left


def scope(method="POST", **headers):
    lines = {"host": "localhost", "content-type": "application/json"} | headers
    pairs = [(k.encode(), v.encode()) for k, v in lines.items()]
    return {"type": "http", "method": method, "path": "/api/x", "headers": pairs}


def piece(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_pieces_arrives_whole_up_to_the_limit(monkeypatch):
    monkeypatch.setattr("cuello.server.guard.MAX_BODY_BYTES", 4)
    sent, _ = reply(scope(), [piece(b"ab"), piece(b"cd", more=False)])
    assert sent[1]["body"] == b"in:abcd"


def test_nothing_more_is_read_once_it_is_too_much(monkeypatch):
    monkeypatch.setattr("cuello.server.guard.MAX_BODY_BYTES", 4)
    sent, left = reply(scope(), [piece(b"abc"), piece(b"de"), piece(b"f")])
    assert sent[0]["status"] == 413
    assert left == [piece(b"f")]


def test_nobody_is_answered_who_has_gone():
    sent, _ = reply(scope(), [piece(b"abc"), {"type": "http.disconnect"}])
    assert sent == []


def test_web_sockets_are_closed():
    sent, _ = reply({"type": "websocket", "path": "/"}, [])
    assert sent == [{"type": "websocket.close"}]
