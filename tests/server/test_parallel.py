"""Many at once: all are answered, and no label is lost."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
from server_samples import HERE, Client, rows

from cuello import open_run
from cuello.server.serving import app_for


def together(app, requests):
    async def all_of_them():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            asked = [client.request(method, url, json=body) for method, url, body in requests]
            return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())


def test_a_hundred_requests_are_all_answered_as_one_would_be(made):
    app, run = app_for(made("table")), open_run(made("table"))
    X = rows()[0]
    embeddings, back = run.autoencoder.transform(X), run.autoencoder.reconstruct(X)
    p = run.classifier.predict_proba(X)
    requests = [
        one
        for i in range(20)
        for one in (
            ("POST", "/api/encode", {"samples": X[i : i + 3].tolist()}),
            ("POST", "/api/reconstruct", {"samples": X[i : i + 3].tolist()}),
            ("POST", "/api/classify", {"samples": X[i : i + 3].tolist()}),
            ("GET", f"/api/samples/{i}", None),
            ("GET", f"/api/neighbours/{i}", None),
        )
    ]
    answers = together(app, requests)
    assert [answer.status_code for answer in answers] == [200] * 100
    for i in range(20):
        encoded, rebuilt, predicted, row, near = (one.json() for one in answers[5 * i : 5 * i + 5])
        np.testing.assert_allclose(encoded["embeddings"], embeddings[i : i + 3], rtol=1e-5)
        np.testing.assert_allclose(rebuilt["samples"], back[i : i + 3], rtol=1e-5)
        np.testing.assert_allclose(predicted["probabilities"], p[i : i + 3], rtol=1e-5)
        np.testing.assert_allclose(row["values"], X[i])
        assert near["row"] == i


def test_labels_set_at_once_are_all_kept(run):
    app = app_for(run("own classes"))
    before = Client(app).get("/api/labels")["labels"]
    told = {str(i): "abc"[i % 3] for i in range(20, 60)}
    requests = [
        ("POST", "/api/labels", {"labels": [{"row": int(i), "label": label}]})
        for i, label in told.items()
    ]
    assert {answer.status_code for answer in together(app, requests)} == {200}
    assert Client(app).get("/api/labels")["labels"] == before | told
