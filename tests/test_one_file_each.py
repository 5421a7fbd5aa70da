"""A toy of each sort, in this one file, goes through everything: nobody else keeps a list."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cuello
from cuello.anomalies import SCORES, Score
from cuello.cli.command import COMMANDS, command
from cuello.cli.program import build_app  # before tests/cli keeps one program for all its calls
from cuello.data import Dataset
from cuello.data.readers import READERS, Reader
from cuello.export import convert, export_run
from cuello.few_label import METHODS, FewLabelClassifier, Method, Solution
from cuello.kinds import KINDS, AutoencoderModule
from cuello.networks import NETWORKS, Network, dense
from cuello.web import page_html


class ToyKind(AutoencoderModule):
    """Learn to rebuild samples, with a penalty on large embeddings.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    shrinkage : float
        Weight of the mean square of the embeddings.
    """

    equation = "loss(x, decode(z)) + shrinkage |z|^2"
    paper = "this file, 2026"

    def __init__(self, parts, *, shrinkage: float = 0.1):
        super().__init__(parts)
        self.shrinkage = shrinkage

    def losses(self, batch, optimizer):
        z = self.encoder(batch.x)
        rebuilt = self.reconstruction(self.decoder(z), batch.x)
        return {"reconstruction": rebuilt, "shrinkage": self.shrinkage * (z**2).mean()}


def build_toy(shape, inputs, outputs, *, widening: int = 2, **common):
    """Build dense layers, each wider by a factor.

    Parameters
    ----------
    shape, inputs, outputs
        Sizes.
    widening : int
        The factor.
    """
    common["hidden"] = tuple(widening * width for width in common.get("hidden") or (8,))
    return dense.build_dense(shape, inputs, outputs, **common)


class Constant(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return self.scores.expand(x.shape[0], -1)


class ToyMethod(Method):
    """The most frequent class."""

    name, display_name = "toy_method", "Toy method"
    summary = "Predicts the most frequent class for every sample."
    pretrained, refittable = False, True

    def build(self, problem):
        return Constant(problem.task.outputs)

    def fit(self, problem):
        module = self.build(problem)
        counts = np.bincount(problem.y[problem.labelled], minlength=problem.task.outputs)
        module.scores.data = torch.from_numpy(np.log(counts / counts.sum() + 1e-6)).float()
        held_out = np.full((problem.labelled.sum(), problem.task.outputs), np.nan, np.float32)
        return Solution(module=module, held_out=held_out, cv_scores={}, chosen=0.0)


class ToyScore(Score):
    """Distance from the median sample."""

    def learn(self, samples, seed):
        return {"middle": np.median(samples.scaled, axis=0)}

    def __call__(self, samples, learned):
        return np.log(((samples.scaled - learned["middle"]) ** 2).sum(axis=1) + 1e-12)


def read_toy(path: Path) -> Dataset:
    record = json.loads(path.read_text())
    return Dataset(
        X=np.asarray(record["X"], dtype=np.float32),
        y=np.asarray(record["y"]),
        classes=tuple(record["classes"]),
        name=path.stem,
        source=str(path),
    )


@pytest.fixture(scope="module", autouse=True)
def _toys():
    KINDS.add("toy-kind", ToyKind, aliases=("tk",))
    NETWORKS.add(
        "toy-network",
        Network(build_toy),
    )
    METHODS.add("toy_method", ToyMethod())
    SCORES.add("toy_score", ToyScore())
    READERS.add(
        "toy",
        Reader(
            display_name="Toy format",
            summary="X, y and classes.",
            read=read_toy,
            suffixes=(".toy",),
        ),
    )
    yield
    for registry, name in (
        (KINDS, "toy-kind"),
        (NETWORKS, "toy-network"),
        (METHODS, "toy_method"),
        (SCORES, "toy_score"),
        (READERS, "toy"),
    ):
        registry.remove(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 6)) + y[:, None]
    record = {"X": X.tolist(), "y": y.tolist(), "classes": ["a", "b", "c"]}
    (folder / "data.toy").write_text(json.dumps(record))
    # Of the methods that the toy is compared with.
    quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quick.items():
            patch.setitem(FewLabelClassifier.__init__.__kwdefaults__, name, value)
        made = cuello.fit(
            folder / "data.toy",
            labels=30,
            repeats=1,
            method="toy_method",
            kind="tk",
            kind_options={"shrinkage": 0.2},
            network="toy-network",
            network_options={"widening": 3},
            hidden=(4,),
            latent_dim=2,
            epochs=3,
            out=folder / "run",
        )
    return cuello.open_run(made.path)


@pytest.fixture(scope="module", autouse=True)
def _one_export_of_the_run():
    # Page and export write the same three networks: seconds each time.
    content: dict[str, bytes] = {}
    real = convert._to_onnx

    def once(run, name, part):
        if name not in content:
            content[name] = real(run, name, part)
        return content[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_to_onnx", once)
        yield


def test_a_run_reopens_with_what_each_toy_learned(run):
    metrics = json.loads((run.folder.path / "metrics.json").read_text())
    assert "toy_method" in {row["method"] for row in metrics["few_labels"]}
    assert run.autoencoder.kind_options == {"shrinkage": 0.2}
    assert run.autoencoder.module_.encoder[0][1].out_features == 12
    assert run.classifier.method_ == "toy_method"
    X = run.load(str(run.folder.path.parent / "data.toy")).X
    again = cuello.open_run(run.folder.path)
    assert np.array_equal(again.autoencoder.transform(X), run.autoencoder.transform(X))
    assert np.array_equal(again.classifier.predict_proba(X), run.classifier.predict_proba(X))
    scores = again.detector.use(method="toy_score").anomaly_scores(X)
    assert np.array_equal(scores, run.detector.use(method="toy_score").anomaly_scores(X))
    assert len(np.unique(scores)) > 2


def test_report_and_page_name_them(run):
    report = run.folder.report.read_text(encoding="utf-8")
    assert "Toy method" in report
    assert "toy-kind autoencoder" in report
    assert page_html(run).startswith("<!doctype html>")


def test_the_server_offers_it(monkeypatch):
    # The server reads the registry once, when it starts: so it is imported anew, for this test.
    name = "cuello.server.schemas"
    monkeypatch.setattr(name, importlib.import_module(name))  # to be there again in the end
    monkeypatch.delitem(sys.modules, name)
    schemas = importlib.import_module(name)
    assert schemas.RefitRequest(method="toy_method").method == "toy_method"


def test_export_and_card(run, tmp_path):
    exported = export_run(run, tmp_path / "out", onnx=True)
    assert {"encoder", "decoder", "classifier"} <= {*exported.models}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Toy method" in card
    assert "Learn to rebuild samples, with a penalty on large embeddings." in card


def shown(capsys, monkeypatch, *arguments):
    from cuello.cli import main

    monkeypatch.setattr(sys, "argv", ["cuello", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_the_command_line_lists_them(run, capsys, monkeypatch):
    help_text = shown(
        capsys, monkeypatch, "fit", "--kind", "toy-kind", "--network", "toy-network", "--help"
    )
    for flag in ("--shrinkage", "--widening", "Weight of the mean square of the embeddings."):
        assert flag in help_text
    assert "toy_method" in help_text
    assert "Learn to rebuild samples" in shown(capsys, monkeypatch, "kinds")
    assert "Toy method" in shown(capsys, monkeypatch, "info", str(run.folder.path))
    out = run.folder.path.parent / "scores.csv"
    data = str(run.folder.path.parent / "data.toy")
    shown(
        capsys,
        monkeypatch,
        *("anomalies", str(run.folder.path), data, "-o", str(out), "--method", "toy_score"),
    )
    assert "toy_score" in out.read_text().splitlines()[0]


def test_a_command_is_one_function(capsys, monkeypatch):
    @command("Experiments", examples=("cuello toy-greet", "cuello toy-greet --name you"))
    def toy_greet(name: str = "you") -> None:
        """Greet somebody."""
        print(f"hello {name}")

    try:
        monkeypatch.setattr(sys, "argv", ["cuello", "toy-greet", "--help"])
        with pytest.raises(SystemExit):
            build_app()()
        text = capsys.readouterr().out
        assert "Greet somebody." in text
        assert "cuello toy-greet --name you" in text
    finally:
        COMMANDS.remove("toy-greet")
