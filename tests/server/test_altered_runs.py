"""Run folders that somebody changed by hand are refused with the reason, before they are served."""

from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest
from server_samples import Client

from cuello.errors import CuelloError
from cuello.server.serving import app_for


def edited(change):
    def apply(path, made):
        file = path / "config.json"
        config = json.loads(file.read_text())
        change(config)
        file.write_text(json.dumps(config))

    return apply


def cut(name, share=0.5):
    def apply(path, made):
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: int(share * len(content))])

    return apply


def of_another_run(name, kind):
    return lambda path, made: shutil.copy(made(kind) / name, path / name)


def without(name):
    return lambda path, made: (path / name).unlink()


def put(config, value, *keys):
    for key in keys[:-1]:
        config = config[key]
    config[keys[-1]] = value


def drop_latent(path, made):
    file = path / "embeddings.parquet"
    pq.write_table(pq.read_table(file).drop_columns("z1"), file)


def huge(path, made):
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    raw = len(header).to_bytes(8, "little") + header.encode()
    (path / "model.safetensors").write_bytes(raw)


CHANGES = {
    "weights cut": (cut("model.safetensors"), "model.safetensors"),
    "weights empty": (cut("model.safetensors", 0.0), "model.safetensors"),
    "weights that lie": (huge, "model.safetensors"),
    "weights of another run": (of_another_run("model.safetensors", "images"), "cannot be used"),
    "weights of fewer latents": (of_another_run("model.safetensors", "one latent"), "cannot be"),
    "config cut": (cut("config.json"), "config.json is damaged"),
    "config of another run": (of_another_run("config.json", "images"), "cannot be used together"),
    "other latents": (
        edited(lambda c: put(c, 3, "autoencoder", "params", "latent_dim")),
        "cannot be used together",
    ),
    "other shape": (
        edited(lambda c: put(c, [7], "autoencoder", "shape")),
        "cannot be used together",
    ),
    "shape with the same size": (
        edited(lambda c: put(c, [3, 2], "autoencoder", "shape")),
        "config.json",
    ),
    "unknown kind": (
        edited(lambda c: put(c, "__import__", "autoencoder", "params", "kind")),
        "cannot be used together",
    ),
    "code to import": (
        edited(lambda c: put(c, "os:system", "autoencoder", "params", "encoder")),
        "trust",
    ),
    "scaling of other columns": (
        edited(lambda c: put(c, [1.0, 2.0], "autoencoder", "scaling", "width")),
        "config.json and model.safetensors cannot be used together",
    ),
    "scaling by zero": (
        edited(lambda c: put(c, [0.0] * 6, "autoencoder", "scaling", "width")),
        "config.json is damaged",
    ),
    "scaling that is text": (
        edited(lambda c: put(c, "abcdef", "autoencoder", "scaling", "width")),
        "config.json",
    ),
    "embeddings of other latents": (
        edited(lambda c: put(c, [1.0], "autoencoder", "embedding_scale")),
        "config.json",
    ),
    "fewer classes": (edited(lambda c: put(c, ["0"], "data", "classes")), "config.json"),
    "no data": (edited(lambda c: c.pop("data")), "config.json"),
    "no status": (edited(lambda c: c.pop("status")), "config.json"),
    "embeddings missing": (without("embeddings.parquet"), "embeddings.parquet"),
    "embeddings cut": (cut("embeddings.parquet"), "embeddings.parquet"),
    "embeddings of fewer latents": (drop_latent, "embeddings.parquet"),
    "labels of no row": (
        lambda path, made: (path / "labels.csv").write_text("row,label\n999,1\n"),
        "labels.csv, line 2: row 999 does not exist",
    ),
    "labels of no class": (
        lambda path, made: (path / "labels.csv").write_text("row,label\n1,horse\n"),
        "labels.csv, line 2: 'horse' is no class",
    ),
    "labels that are no text": (
        lambda path, made: (path / "labels.csv").write_bytes(b"\xff\x00\xfe"),
        "labels.csv",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_refused(run, made, name):
    change, saying = CHANGES[name]
    path = run("table")
    change(path, made)
    with pytest.raises(CuelloError) as refusal:
        app_for(path)
    assert saying in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_embeddings_of_another_model_do_not_fit_the_data(run, made):
    path = run("table")
    shutil.copy(made("images") / "embeddings.parquet", path)
    detail = Client(app_for(path)).get("/api/samples/1", code=409)["detail"]
    assert "another embedding" in detail


def test_a_folder_that_holds_no_run(tmp_path):
    with pytest.raises(CuelloError, match="not a run folder"):
        app_for(tmp_path)
