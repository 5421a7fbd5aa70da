"""Every command does what it says: what it wrote is read back and checked."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from cli_samples import SMALL, picture, rows_of_three_classes

from cuello import Autoencoder, load, open_run
from cuello.cli import fit
from cuello.cli.command import COMMANDS
from cuello.cli.program import build_app
from cuello.data.scaling import SCALINGS
from cuello.data.sets import NAMED_SETS, locate
from cuello.few_label import METHODS
from cuello.kinds import KINDS, LOSSES, OUTPUTS
from cuello.networks import ACTIVATIONS, INITIALIZERS, NETWORKS
from cuello.run import Job
from cuello.run.job import TASK_NAMES
from cuello.train import OPTIMIZERS, PRECISIONS, SCHEDULES, SHUFFLES

build_app()  # fills COMMANDS

RNG = np.random.default_rng(0)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def codes(path):
    table = pq.read_table(path)
    return np.stack([table[f"z{k}"].to_numpy() for k in range(2)], axis=1)


def imported_by(folder, *arguments):
    """Run a command in a process of its own; return its output and what it imported."""
    program = (
        f"import sys; sys.argv = ['cuello', *{arguments!r}]\n"
        "from cuello.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print('imported', *{'torch', 'numpy', 'sklearn', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout.rsplit("imported", 1)


def test_help_imports_nothing_heavy(tmp_path):
    """What makes it slow; `python -m benchmarks help` measures how slow."""
    shown, imported = imported_by(tmp_path, "--help")
    assert "reconstruct" in shown
    assert imported.split() == []


def test_info_imports_no_torch(finished, tmp_path):
    shown, imported = imported_by(tmp_path, "info", "run")
    assert "Auto" in shown
    assert "torch" not in imported.split()


def test_every_choice_is_in_the_help_of_fit(cuello):
    shown = cuello("fit", "--help").out
    words = set(re.findall(r"[\w-]+", shown))
    for registry in (ACTIVATIONS, INITIALIZERS, LOSSES, OUTPUTS, METHODS, KINDS, NETWORKS):
        assert set(registry) <= words, registry.argument
    for names in (OPTIMIZERS, PRECISIONS, SCALINGS, SCHEDULES, SHUFFLES, TASK_NAMES):
        assert set(names) <= words


def flags_of(kind, network):
    names = (*KINDS[kind].options(), *NETWORKS[network].options)
    return {f"--{name.replace('_', '-')}" for name in names}


@pytest.mark.parametrize(
    ("kind", "network"), [*zip([*KINDS, "vae"], itertools.cycle(NETWORKS), strict=False)]
)
def test_help_shows_the_options_of_kind_and_network(cuello, kind, network):
    shown = cuello("fit", "--kind", kind, f"--network={network}", "--help").out
    for flag in flags_of(kind, network):
        assert flag in shown


@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_and_network_have_their_flags_together(network):
    # What the help shows of a command: its text takes far longer.
    for kind in (*KINDS, "vae"):
        command = fit._build({"kind": kind, "network": network})
        shown = {flag for one in command.params if not one.hidden for flag in one.opts}
        assert flags_of(kind, network) <= shown


def test_every_option_of_the_estimator_has_a_flag(cuello):
    shown = cuello("fit", "--help").out
    elsewhere = {"kind_options", "network_options", "validation_fraction", "random_state"}
    for name in set(Autoencoder().get_params()) - elsewhere - {"verbose"}:
        flag = "--latent" if name == "latent_dim" else f"--{name.replace('_', '-')}"
        assert flag in shown


def test_no_two_options_share_a_name():
    general = set(Autoencoder().get_params()) | {field.name for field in fields(Job)}
    for kind in KINDS:
        for network in NETWORKS:
            own = [*KINDS[kind].options(), *NETWORKS[network].options]
            assert len(set(own)) == len(own)
            assert not general & set(own)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_in_two_examples(cuello, name):
    shown = cuello(name, "--help").out.split()
    text = " ".join(shown[shown.index("Examples:") :])
    for example in COMMANDS[name].examples:
        assert example in text


def test_version(cuello):
    assert cuello("--version").out.startswith("cuello 0.")


def test_no_arguments_show_the_help(cuello):
    assert "classify" in cuello(code=2).out


def test_kinds_are_listed_with_a_sentence_and_shown_with_their_equation(cuello):
    shown = " ".join(cuello("kinds").out.split())
    for name, kind in KINDS.items():
        assert name in shown
        assert kind.summary.split()[0] in shown
        assert kind.equation not in shown
    one = " ".join(cuello("kinds", "denoising").out.split())
    assert "loss(x, decode(encode(noise(x))))" in one
    assert "--noise-level" in one
    assert "Vincent" in one
    assert "did you mean 'plain'" in cuello("kinds", "plane", code=2).err


def test_options_of_network_and_kind_reach_the_model(cuello, arrays, tmp_path):
    cuello(
        "fit",
        "rows.npz",
        *SMALL,
        "--tied",
        "--kind",
        "denoising",
        "--noise-level=0.3",
        "--out",
        "t",
    )
    model = open_run(tmp_path / "t").autoencoder
    assert model.network_options == {"tied": True}
    assert model.kind_options == {"noise_level": 0.3}
    assert "--tied" in cuello("fit", "rows.npz", *SMALL, "--tied=maybe", code=2).err


def test_dry_run_shows_the_network_and_writes_nothing(cuello, arrays, tmp_path):
    shown = cuello("fit", "rows.npz", *SMALL, "--dry-run", "--kind", "variational").out
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if "coder" in line}
    assert rows["encoder.0.1"] == ["Linear", "8", "56", "224", "48"]
    assert rows["encoder.1.0"][:2] == ["Linear", "4"]  # means and log-variances of 2 latents
    assert "Nothing was trained" in shown
    assert [file.name for file in tmp_path.iterdir()] == ["rows.npz"]
    assert "--up" in cuello("fit", "rows.npz", *SMALL, "--dry-run", "--up=transposed", code=2).err


OWN = """
from torch import nn

def encoder():
    return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))

def decoder():
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 6))
"""


def test_own_networks_are_named_and_trusted(cuello, arrays, tmp_path):
    (tmp_path / "my_own_networks.py").write_text(OWN, encoding="utf-8")
    names = ("--encoder", "my_own_networks:encoder", "--decoder", "my_own_networks:decoder")
    cuello("fit", "rows.npz", *SMALL, *names, "--out", "own")
    refused = cuello("embed", "own", "rows.npz", "-o", "z.parquet", code=2).err
    assert "my_own_networks:encoder" in refused
    assert "--trust-remote-code" in refused
    cuello("embed", "own", "rows.npz", "-o", "z.parquet", "--trust-remote-code")
    assert codes(tmp_path / "z.parquet").shape == (60, 2)
    assert (
        "cannot be imported"
        in cuello(
            "fit", "rows.npz", *SMALL, "--encoder", "nowhere:e", "--decoder", "nowhere:d", code=2
        ).err
    )


def test_a_log_gets_a_line_an_epoch_and_a_method(cuello, arrays):
    options = ("fit", "rows.npz", *SMALL, "--labels", 6, "--method", "linear_probe")
    outcome = cuello(*options, "--out", "told")
    lines = outcome.err.splitlines()
    epochs = [line for line in lines if line.startswith("autoencoder: epoch ")]
    assert [line.split(", ")[0] for line in epochs] == [
        "autoencoder: epoch 1 of 2",
        "autoencoder: epoch 2 of 2",
    ]
    assert all(", loss " in line and ", validation " in line for line in epochs)
    assert "few labels: Linear probe" in lines
    assert "accuracy on the test split" in outcome.out
    outcome = cuello(*options, "--out", "untold", "--quiet")
    assert outcome.err == ""
    assert "accuracy on the test split" in outcome.out


def test_fit_writes_a_whole_run(cuello, arrays, tmp_path):
    outcome = cuello("fit", "rows.npz", *SMALL, "--labels", 3, "--repeats", 2, "--out", "a/run")
    folder = tmp_path / "a" / "run"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "embeddings.parquet",
        "examples.npz",
        "few_labels.jsonl",
        "history.jsonl",
        "metrics.json",
        "model.safetensors",
        "report.html",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert config["status"] == "finished"
    assert config["command"].startswith("cuello fit rows.npz")
    assert config["data"]["rows"] == {"train": 42, "validation": 6, "test": 12}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {r["method"] for r in metrics["few_labels"]} >= {
        "majority",
        "pca_logistic",
        "random_forest",
        "linear_columns",
        "auto",
    }
    assert all(r["labels"] == 3 and r["repeats"] == 2 for r in metrics["few_labels"])
    table = pq.read_table(folder / "embeddings.parquet")
    assert table.column_names == ["row", "split", "label", "labelled", "anomaly_score", "z0", "z1"]
    assert sum(table["labelled"].to_pylist()) == 3
    assert table["row"].to_pylist() == list(range(60))
    assert table["label"].to_pylist() == [str(i % 3) for i in range(60)]
    report = (folder / "report.html").read_text()
    for name in ("Linear model", "Auto", "5-NN on the columns"):
        assert name in outcome.out
        assert name in report
    assert outcome.out.rstrip().endswith("report: a/run/report.html")
    assert (outcome.out + outcome.err).count("test MSE") == 1
    assert "Warning" not in outcome.err


def test_default_folder_is_named_after_the_data(cuello, arrays, tmp_path):
    cuello("fit", "rows.npz", *SMALL)
    assert (tmp_path / "runs" / "rows" / "report.html").is_file()


def test_options_of_a_kind_may_come_before_the_data(cuello, arrays, tmp_path):
    options = ("--kind", "denoising", "--noise-level", "0.3", "--noise=gaussian")
    cuello("fit", *options, "rows.npz", *SMALL, "--out", "run")
    model = json.loads((tmp_path / "run" / "config.json").read_text())["job"]["model"]
    assert model["kind_options"] == {"noise_level": 0.3, "noise": "gaussian"}


def test_same_seed_same_weights(cuello, arrays, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cuello("fit", "rows.npz", *SMALL, "--seed", seed, "--out", name)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_embed(cuello, finished, tmp_path):
    outcome = cuello("embed", "run", "rows.npz", "--out", "new/codes.parquet")
    assert outcome.out == "60 samples: new/codes.parquet\n"
    table = pq.read_table(tmp_path / "new" / "codes.parquet")
    assert table.column_names == ["row", "label", "z0", "z1"]
    np.testing.assert_array_equal(
        codes(tmp_path / "new" / "codes.parquet"), codes(finished / "embeddings.parquet")
    )


def test_reconstruct(cuello, finished, tmp_path):
    cuello("reconstruct", "run", "rows.npz", "--out", "back.npz")
    X, _ = rows_of_three_classes()
    with np.load(tmp_path / "back.npz") as back:
        assert back["X"].shape == X.shape
        np.testing.assert_allclose(back["error"], ((X - back["X"]) ** 2).mean(1), rtol=1e-4)
        np.testing.assert_array_equal(back["X"], open_run(finished).autoencoder.reconstruct(X))


def test_classify(cuello, finished, tmp_path):
    cuello("classify", "run", "rows.npz", "--out", "classes.csv")
    rows = read_csv(tmp_path / "classes.csv")
    X, _ = rows_of_three_classes()
    run = open_run(finished)
    assert run.classifier is not None
    assert [row["row"] for row in rows] == [str(i) for i in range(60)]
    assert [row["class"] for row in rows] == [run.classes[k] for k in run.classifier.predict(X)]
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


def test_classify_says_where_it_is_not_sure(cuello, finished, tmp_path):
    X, _ = rows_of_three_classes()
    run = open_run(finished)
    assert run.classifier is not None
    highest = run.classifier.predict_proba(X).max(axis=1)
    middle = round(float(np.median(highest)), 3)
    for sure in (middle, 0.95):
        given = () if sure == 0.95 else ("--min-precision", sure)
        said = cuello("classify", "run", "rows.npz", "--out", "classes.csv", *given).out
        expected = ["decided" if p >= sure else "undecided" for p in highest]
        assert [row["decision"] for row in read_csv(tmp_path / "classes.csv")] == expected
        # Three labels, one a class: none could be held out.
        assert said.startswith(f"60 samples, {expected.count('undecided')} of them undecided (a ")
        assert f"a probability below {sure:g}; no labels were held out" in said
        assert said.endswith("): classes.csv\n")
        assert said.count("\n") == 1
    assert 0 < sum(highest >= middle) < 60


def test_a_mode_that_is_asked_for_classifies_as_sure_as_labels_allow(cuello, arrays, tmp_path):
    options = ("--labels", 18, "--repeats", 1, "--method", "label_spreading", "--out", "run")
    said = cuello("fit", "rows.npz", *SMALL, *options).out
    assert "Label spreading *" in said
    assert "* kept for `cuello classify`" in " ".join(said.split())
    line = cuello("classify", "run", "rows.npz", "-o", "c.csv", "--min-precision", 0.99).out
    pattern = r"60 samples, \d+ of them undecided \(.*18 held-out labels.*99 %.*\): c.csv\n"
    assert re.fullmatch(pattern, line), line
    assert "99 % or more" not in line  # 18 labels can promise nothing like that
    assert "Label spreading *" in cuello("info", "run").out


def test_output_is_replaced_but_never_the_input(cuello, refused, finished, tmp_path):
    for _ in range(2):
        cuello("reconstruct", "run", "rows.npz", "-o", "back.npz")
    refused("reconstruct", "run", "rows.npz", "-o", "rows.npz", saying=("is the data itself",))
    refused("embed", "run", "rows.npz", "-o", "run/embeddings.parquet", saying=("of the run",))


def test_test_part_follows_the_training_part(cuello, finished, tmp_path):
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "parts.npz", X=X[:50], y=y[:50], X_test=X[50:], y_test=y[50:])
    cuello("embed", "run", "parts.npz", "-o", "codes.parquet")
    table = pq.read_table(tmp_path / "codes.parquet")
    assert table["split"].to_pylist() == ["train"] * 50 + ["test"] * 10
    np.testing.assert_array_equal(
        codes(tmp_path / "codes.parquet"), codes(finished / "embeddings.parquet")
    )
    cuello("classify", "run", "parts.npz", "-o", "classes.csv")
    assert len(read_csv(tmp_path / "classes.csv")) == 60


def test_report_is_written_again(cuello, finished):
    assert cuello("report", "run").out == "report: run/report.html\n"
    first = (finished / "report.html").read_bytes()
    (finished / "report.html").unlink()
    cuello("report", "run")
    assert (finished / "report.html").read_bytes() == first


def test_info(cuello, finished):
    out = "".join(cuello("info", "run").out.split())  # a long path is broken anywhere
    for piece in ("finished", "rows.npz", "42train", "0,1,2", "latent_dim=2", "Auto"):
        assert piece in out


def test_info_says_what_auto_came_to(cuello, unlabelled, tmp_path):
    config = json.loads((unlabelled / "config.json").read_text())
    config["job"]["model"]["epochs"] = "auto"
    (unlabelled / "config.json").write_text(json.dumps(config))
    out = " ".join(cuello("info", "bare").out.split())
    assert "epochs=auto (2), batch_size=auto (42)" in out


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("running", "if nothing works on it any more, continue it with: cuello fit --resume run"),
        ("diverged", "start again with --overwrite and a smaller --learning-rate"),
    ],
)
def test_info_of_an_unfinished_run(cuello, finished, status, said):
    file = finished / "config.json"
    config = json.loads(file.read_text()) | {"status": status}
    del config["autoencoder"]
    file.write_text(json.dumps(config))
    out = cuello("info", "run").out
    assert said in out
    assert ("interrupted" in out) == (status == "running")


def test_data_lists_the_sets(cuello):
    out = cuello("data").out
    for piece in ("digits", "fashion", "font", "mnist", "1,797", "bundled", "CUELLO_DATA"):
        assert piece in out


@pytest.mark.parametrize("width", [20, 80])
def test_nothing_is_cut_off_in_a_narrow_terminal(cuello, finished, tmp_path, monkeypatch, width):
    monkeypatch.setattr("cuello.cli.console.out._width", width)
    folder = tmp_path / ("a" * 50) / ("b" * 50)
    monkeypatch.setenv("CUELLO_DATA", str(folder))
    monkeypatch.setenv("CUELLO_CACHE", str(folder))
    lines = cuello("data").out
    assert "fashion-mnist: garments" in lines
    assert str(folder) in lines
    mirrors = [where for kind, where in map(locate, NAMED_SETS) if kind == "mirror"]
    assert mirrors
    assert [where for where in mirrors if where not in lines] == []
    file = finished / "config.json"
    file.write_text(file.read_text().replace("rows.npz", "r" * 100))
    out = cuello("info", "run").out
    assert "…" not in out
    assert out.count("r" * 5) > 1


@pytest.fixture
def table(tmp_path):
    """CSV with text, empty cells, a label column and a name for every row."""
    lines = ["name,size,colour,weight,label"]
    for i in range(60):
        size = "" if i % 11 == 0 else f"{RNG.normal() + i % 3:.3f}"
        colour = "" if i % 13 == 0 else ("red", "green", "blue")[i % 3]
        lines.append(f"n{i},{size},{colour},{RNG.normal():.3f},{'xyz'[i % 3]}")
    lines[0] = "id" + lines[0].removeprefix("name")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def test_table_with_text_and_empty_cells(cuello, table, tmp_path):
    outcome = cuello("fit", "table.csv", *SMALL, "--labels", 3, "--repeats", 1, "--out", "run")
    assert "note: column 'label' was taken as the label" in outcome.out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"]["classes"] == ["x", "y", "z"]
    assert config["data"]["shape"] == [5]  # size, weight, and a column for each colour
    assert "empty cells were filled" in " ".join(config["notes"])
    note = "empty or unknown categories became 0 in all 0/1 columns of 'colour'"
    assert note in config["notes"]
    assert f"note: {note}\n" in outcome.out
    assert f"note: {note}\n" in cuello("embed", "run", "table.csv", "-o", "codes.parquet").out


def test_full_cells_need_no_explaining(cuello, table):
    table.write_text(re.sub(r",,(-?\d\.\d+,[xyz]\n)", r",red,\1", table.read_text()))
    assert "0/1 columns" not in cuello("fit", "table.csv", *SMALL).out


def test_columns_may_come_in_another_order(cuello, table, tmp_path):
    cuello("fit", "table.csv", *SMALL, "--labels", 3, "--repeats", 1, "--out", "run")
    content = pacsv.read_csv(table)
    other = content.select(["weight", "label", "colour", "size"])
    other = other.append_column("new", pa.array(["text"] * 60))
    pacsv.write_csv(other, tmp_path / "other.csv")
    pq.write_table(other, tmp_path / "other.parquet")
    expected = codes(tmp_path / "run" / "embeddings.parquet")
    for name in ("table.csv", "other.csv", "other.parquet"):
        cuello("embed", "run", name, "-o", "codes.parquet")
        np.testing.assert_allclose(codes(tmp_path / "codes.parquet"), expected, atol=1e-6)
        cuello("classify", "run", name, "-o", f"{name}.classes.csv")
    one, two, three = (
        (tmp_path / f"{name}.classes.csv").read_text()
        for name in ("table.csv", "other.csv", "other.parquet")
    )
    assert two == three
    assert [line.split(",")[-3:] for line in one.splitlines()] == [
        line.split(",")[-3:] for line in two.splitlines()
    ]


def test_a_row_alone_has_the_embedding_it_has_among_others(cuello, table, tmp_path):
    cuello("fit", "table.csv", *SMALL, "--out", "run")
    header, *lines = table.read_text().splitlines()
    (tmp_path / "one.csv").write_text(f"{header}\n{lines[0]}\n")  # its size is empty
    cuello("embed", "run", "one.csv", "-o", "one.parquet")
    expected = codes(tmp_path / "run" / "embeddings.parquet")[:1]
    np.testing.assert_allclose(codes(tmp_path / "one.parquet"), expected, atol=1e-6)


def test_folder_of_classes(cuello, pictures, tmp_path):
    cuello("fit", "pictures", *SMALL, "--labels", 2, "--repeats", 1, "--out", "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["classes"] == [
        "left",
        "right",
    ]
    table = pq.read_table(tmp_path / "run" / "embeddings.parquet")
    assert table["name"].to_pylist() == list(load(pictures).row_names)
    cuello("classify", "run", "pictures", "-o", "classes.csv")
    rows = read_csv(tmp_path / "classes.csv")
    assert [row["name"] for row in rows] == table["name"].to_pylist()
    assert {row["class"] for row in rows} <= {"left", "right"}


def test_flat_folder_with_a_file_of_labels(cuello, tmp_path):
    (tmp_path / "flat").mkdir()
    lines = ["file,label"]
    for i in range(40):
        picture(i % 2, i).save(tmp_path / "flat" / f"{i:02}.png")
        lines += [f"{i:02}.png,{('left', 'right')[i % 2]}"] * (i < 12)
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    labels = ("--labels", "labels.csv", "--repeats", 2)
    outcome = cuello("fit", "flat", *SMALL, *labels, "--out", "run")
    assert "held-out third of the 12 labelled samples" in " ".join(outcome.out.split())
    run = open_run(tmp_path / "run")
    assert run.classes == ("left", "right")
    assert pq.read_table(tmp_path / "run" / "embeddings.parquet")["label"].to_pylist()[10:14] == [
        "left",
        "right",
        None,
        None,
    ]
    # Pictures of another size are brought to that of the training.
    picture(0, 99).resize((20, 20)).save(tmp_path / "new.png")
    cuello("classify", "run", "new.png", "-o", "one.csv")
    assert [row["name"] for row in read_csv(tmp_path / "one.csv")] == ["new.png"]


def test_run_folder_works_from_anywhere(cuello, finished, tmp_path):
    cuello("embed", "run", "rows.npz", "-o", "a.parquet")
    finished.rename(tmp_path / "moved run")
    cuello("embed", "moved run", "rows.npz", "-o", "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_home_folder(cuello, arrays, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    cuello("fit", "rows.npz", *SMALL, "--out=~/run")
    assert (tmp_path / "home" / "run" / "report.html").is_file()
    cuello("info", "~/run")
    assert not (tmp_path / "~").exists()


def test_constant_columns_can_be_kept(cuello, tmp_path):
    X, _ = rows_of_three_classes()
    X[:, 2] = 7
    np.savez(tmp_path / "rows.npz", X=X)
    cuello("fit", "rows.npz", *SMALL, "--keep-constant", "--out", "run")
    cuello("reconstruct", "run", "rows.npz", "-o", "back.npz")
    with np.load(tmp_path / "back.npz") as back:
        assert np.isfinite(back["X"]).all()


def test_embedding_as_long_as_a_row_has_to_be_asked_for(cuello, arrays):
    cuello("fit", "rows.npz", *SMALL, "--latent", 6, "--allow-overcomplete")


def test_names_are_printed_as_they_are(cuello, tmp_path):
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "a:cat:.npz", X=X, y=np.array(["[red]", "[/b]", ":dog:"])[y])
    outcome = cuello("fit", "a:cat:.npz", *SMALL, "--labels", 3, "--repeats", 1, "-o", "[bold]")
    assert outcome.out.endswith("report: [bold]/report.html\n")
    assert "[/b], [red]" in cuello("info", "[bold]").out


TYPED = """
import json, sys
from cuello.cli import main
from cuello.few_label import fitting

quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
complete = fitting._FEW_LABEL_OPTIONS.complete
fitting._FEW_LABEL_OPTIONS.complete = lambda options: complete(quick | options)
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["cuello", *arguments]
    try:
        main()
    except SystemExit as stop:
        print("ended with", stop.code or 0)
print("imported", *{"torch._dynamo", "numba"} & set(sys.modules), file=sys.stderr)
"""


def test_a_program_whose_terminal_cannot_show_the_text(pictures, tmp_path):
    (pictures / "left").rename(pictures / "左")
    labels = ("--labels", "4", "--repeats", "1", "--method", "fine_tune")
    typed = [
        ["fit", "pictures", *map(str, SMALL), *labels, "--out", "läuft"],
        ["classify", "läuft", "pictures", "-o", "classes.csv"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", TYPED, json.dumps(typed)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"ended with 0") == 2, done.stderr
    assert rb"report: l\xe4uft/report.html" in done.stdout
    # Neither a training nor a reading imports the compiler of torch: it takes three seconds, half
    # of the start of a small training. Nor that of the labs.
    assert done.stderr.split()[-1] == b"imported"


@pytest.mark.parametrize(("task", "outputs"), [("auto", 1), ("binary", 1), ("multiclass", 2)])
def test_two_classes_from_fit_to_classify(cuello, pictures, tmp_path, task, outputs):
    cuello("fit", "pictures", *SMALL, "--labels", 8, "--repeats", 1, "--task", task, "--out", "run")
    model = open_run(tmp_path / "run").classifier
    name = {1: "binary", 2: "multiclass"}[outputs]
    assert (model.task_.name, model.task_.outputs) == (name, outputs)
    assert model.held_out_scores_.shape == (8, outputs)
    assert not np.isnan(model.held_out_scores_).any()
    cuello("classify", "run", "pictures", "-o", "classes.csv")
    lines = read_csv(tmp_path / "classes.csv")
    assert len(lines) == 40
    assert {line["class"] for line in lines} <= {"left", "right"}
    assert all(0.5 <= float(line["probability"]) <= 1 for line in lines)
    report = (tmp_path / "run" / "report.html").read_text()
    assert f"The classifier of this run. Task &#39;{name}&#39;: " in report
