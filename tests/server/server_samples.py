"""Runs that train in a second, and a client that asks an application without a network."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from cuello.api import start_with_report
from cuello.run import Job

SMALL = {"epochs": 2, "hidden": (8,), "latent_dim": 2}
KINDS = ("table", "images", "own classes", "sequences", "numbers", "one latent")
HERE = "http://127.0.0.1:8000"


def rows(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 6 numbers around three centres, and which."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = 4.0 * rng.normal(size=(3, 6))[y] + rng.normal(size=(n, 6))
    return (10.0 * X + 100.0).astype(np.float32), y


def make(folder: Path, kind: str) -> Path:
    """Train a run of a kind in a folder, on data that lies beside it."""
    X, y = rows()
    options: dict[str, Any] = dict(SMALL)
    data = folder / "rows.npz"
    if kind == "images":
        X = np.random.default_rng(0).integers(0, 256, (60, 5, 4)).astype(np.uint8)
        X[:, 0] = 80 * y[:, None]
        options |= {"labels": "12", "repeats": 1}
    elif kind == "table":
        options |= {"labels": "12", "repeats": 1}
    elif kind == "one latent":
        options |= {"latent_dim": 1}
    elif kind == "sequences":
        X = X.reshape(-1, 3, 2)
        X[::4, 2] = np.nan
        options |= {"network": "sequence"}
    elif kind == "numbers":
        y = 100.0 + 3.5 * X[:, 0]
        options |= {"labels": "12", "repeats": 1, "task": "regression"}
    if kind in ("own classes", "one latent"):
        np.savez(data, X=X)
    else:
        np.savez(data, X=X, y=y)
    if kind == "own classes":
        lines = [f"{i},{'abc'[y[i]]}" for i in range(15)]
        (folder / "mine.csv").write_text("row,label\n" + "\n".join(lines) + "\n")
        options |= {"labels": str(folder / "mine.csv"), "repeats": 1}
    return start_with_report(Job.of(data=str(data), **options), folder / "run").path


class Client:
    """Asks an ASGI application, one request after another."""

    def __init__(self, app: Any, base_url: str = HERE) -> None:
        self.app, self.base_url = app, base_url

    async def send(self, method: str, url: str, **request: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
            return await client.request(method, url, **request)

    def get(self, url: str, code: int = 200, **request: Any) -> Any:
        return self._answered("GET", url, code, **request)

    def post(self, url: str, body: Any = None, code: int = 200, **request: Any) -> Any:
        if body is not None:
            request["json"] = body
        return self._answered("POST", url, code, **request)

    def ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        return asyncio.run(self.send(method, url, **request))

    def _answered(self, method: str, url: str, code: int, **request: Any) -> Any:
        response = self.ask(method, url, **request)
        assert response.status_code == code, (response.status_code, response.text[:500])
        if "json" not in response.headers["content-type"]:
            return response.text
        return json.loads(response.text)
