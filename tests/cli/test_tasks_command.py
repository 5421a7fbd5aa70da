"""Numbers and several properties at the command line: from data to report, and what is refused."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from cli_samples import SMALL, picture, rows_of_three_classes

from cuello import Autoencoder, open_run

SHORT = (*SMALL, "--repeats", 1)
ROWS = 60


@pytest.fixture
def table(tmp_path):
    """60 rows: four numbers, a price, and two properties, as t.csv."""
    X, _ = rows_of_three_classes(ROWS, 4)
    price = 10.0 + X.sum(axis=1).round(2)
    lines = [
        ",".join([*map(str, x), f"{p:.2f}", str(int(p > 15)), str(i % 2)])
        for i, (x, p) in enumerate(zip(X, price, strict=True))
    ]
    text = "\n".join(["a,b,c,d,price,dear,odd", *lines])
    (tmp_path / "t.csv").write_text(text)
    return tmp_path / "t.csv"


@pytest.fixture
def trained_nothing(monkeypatch):
    """Fail if an autoencoder is trained."""
    monkeypatch.setattr(Autoencoder, "fit", lambda *_, **__: pytest.fail("trained"))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def read(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


# From data to report


@pytest.mark.parametrize(("task", "labels", "count"), [("auto", "all", 42), ("regression", 20, 20)])
def test_numbers(cuello, table, tmp_path, task, labels, count):
    options = ("--label-column", "price", "--task", task, "--labels", labels, *SHORT)
    said = cuello("fit", "t.csv", *options, "--out", "run").out
    assert ("the task is 'regression'" in said) == (task == "auto")
    assert "R² on the test split (12 samples)" in said
    assert "PCA + ridge regression" in said
    assert "mean absolute error" in said
    run = open_run(tmp_path / "run")
    assert run.task == "regression"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Predicted and true numbers" in page
    assert "onfusion matrix" not in page.split('<script type="application/json"')[0]
    assert "numbers" in cuello("info", "run").out
    said = cuello("classify", "run", "t.csv", "-o", "v.csv").out
    assert said.startswith("60 samples (off by ")
    assert said.endswith(f"by {count} held-out labels): v.csv\n")
    values = [float(row["value"]) for row in read(tmp_path / "v.csv")]
    np.testing.assert_allclose(values, run.classifier.predict(run.load(table).X), rtol=1e-5)
    cuello("embed", "run", "t.csv", "-o", "e.parquet")
    cuello("report", "run")


def test_numbers_from_a_file_for_pictures(cuello, pictures, tmp_path):
    names = sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png"))
    lines = [f"{name},{i * 0.37:.2f}" for i, name in enumerate(names)]
    (tmp_path / "age.csv").write_text("\n".join(["file,age", *lines[:24]]))
    options = ("--task", "regression", "--labels", "age.csv", *SHORT, "--out", "run")
    assert "held-out third of the 24 labelled samples" in cuello("fit", "pictures", *options).out
    cuello("classify", "run", "pictures", "-o", "v.csv")
    assert [row["name"] for row in read(tmp_path / "v.csv")] == names


@pytest.mark.parametrize("asked", [(), ("--task", "multilabel")])
def test_several_columns(cuello, table, tmp_path, asked):
    options = ("--label-column", "dear,odd", *asked, "--labels", 24, *SHORT)
    said = cuello("fit", "t.csv", *options, "--out", "run").out
    assert ("task is 'multilabel'" in said) == (not asked)
    assert "accuracy on the test split (12 samples)" in said
    assert "PCA + logistic regression" in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h3>Properties: " in page
    assert ">dear</th>" in page
    assert "dear, odd" in cuello("info", "run").out
    assert cuello("classify", "run", "t.csv", "-o", "p.csv").out == "60 samples: p.csv\n"
    rows = read(tmp_path / "p.csv")
    assert list(rows[0]) == ["row", "dear", "odd"]
    assert all(0 <= float(row["dear"]) <= 1 for row in rows)


def test_several_from_a_file(cuello, arrays, tmp_path):
    lines = [f"{i},{int(i % 3 == 0)},{int(i % 2 == 0)}" for i in range(0, 60, 2)]
    lines += [f"{i},{int(i % 3 == 0)},0" for i in range(1, 20, 2)]
    (tmp_path / "l.csv").write_text("\n".join(["row,third,even", *lines]))
    said = cuello("fit", "rows.npz", "--labels", "l.csv", *SHORT, "--out", "run").out
    assert "task is 'multilabel'" in said
    assert open_run(tmp_path / "run").properties == ("third", "even")


def test_numbers_of_a_named_set(cuello, tmp_path):
    options = ("--task", "regression", "--labels", 60, *SHORT, "--out", "run", "--dry-run")
    assert "Nothing was trained" in cuello("fit", "digits", *options).out


# What is refused, before anything is trained

PRICE = ("--label-column", "price", "--task", "regression")


@pytest.mark.usefixtures("trained_nothing")
class TestRefused:
    @pytest.mark.parametrize(
        ("options", "saying"),
        [
            ((*PRICE, "--labels", 3), ("3 labels are too few", "4 or more")),
            ((*PRICE, "--labels", 500), ("500 labels", "only 42 samples")),
            (PRICE, ("--task regression learns from labels, and none are kept", "--labels 300")),
            (
                (*PRICE, "--method", "label_spreading", "--labels", 9),
                ("--method label_spreading", "--method fine_tune_slow"),
            ),
            (
                (*PRICE, "--method", "ladder", "--labels", 9),
                ("--method ladder", "--task regression"),
            ),
            (
                (*PRICE, "--kind", "conditional", "--labels", 9),
                ("--kind conditional learns from classes", "--task regression hold none"),
            ),
            (
                ("--label-column", "preis", "--task", "regression", "--labels", 9),
                ("--label-column preis is no column", "'price'"),
            ),
            (
                ("--label-column", "dear", "--task", "multilabel", "--labels", 9),
                ("--task multilabel needs two columns", "--label-column dear is one"),
            ),
            (
                ("--label-column", "dear,odd", "--task", "regression", "--labels", 9),
                ("names 2 columns", "--task multilabel"),
            ),
            (
                ("--label-column", "price,odd", "--labels", 9),
                ("property 'price' is", "a property is 0 or 1"),
            ),
            (
                ("--label-column", "dear,even", "--labels", 9),
                ("--label-column even is no column",),
            ),
            (
                ("--label-column", "price", "--task", "multiclass", "--labels", 9),
                ("--task regression",),
            ),
            (("--task", "regression", "--labels", 9), ("holds none", "--label-column")),
            (("--task", "multilabel", "--labels", 9), ("holds none", "--label-column")),
            (
                ("--label-column", "dear,odd", "--method", "mean_teacher", "--labels", 9),
                ("--method mean_teacher", "--task multilabel has none"),
            ),
        ],
    )
    def test_options_of_a_table(self, refused, table, options, saying):
        refused("fit", "t.csv", *SHORT, *options, saying=saying)

    @pytest.mark.parametrize(
        ("cell", "saying"),
        [
            ("cheap", ("'price' holds numbers", "row 2", "'cheap'", "--skip-bad")),
            ("inf", ("'price'", "infinite in row 2")),
        ],
    )
    def test_cells_that_are_no_numbers(self, refused, table, cell, saying):
        line = table.read_text().split("\n")[3].split(",")
        edit(table, ",".join(line), ",".join([*line[:4], cell, *line[5:]]))
        refused("fit", "t.csv", *SHORT, *PRICE, "--labels", 9, saying=saying)

    def test_a_single_number(self, refused, tmp_path):
        X, _ = rows_of_three_classes()
        np.savez(tmp_path / "a.npz", X=X, y=np.full(60, 2.5))
        options = ("--task", "regression", "--labels", 9)
        refused("fit", "a.npz", *SHORT, *options, saying=("every label is the number 2.5",))
        # Or nearly: the labels that are drawn, or measured on, are all alike.
        np.savez(tmp_path / "a.npz", X=X, y=np.where(np.arange(60) == 7, 1.5, 2.5))
        refused("fit", "a.npz", *SHORT, *options, saying=("in repeat 1", "keep more labels"))

    def test_a_property_that_all_have(self, refused, tmp_path):
        X, _ = rows_of_three_classes()
        np.savez(tmp_path / "a.npz", X=X, y=np.stack([np.arange(60) % 2, np.ones(60)], axis=1))
        options = ("--task", "multilabel", "--labels", 9)
        refused("fit", "a.npz", *SHORT, *options, saying=("property '1' is 1 in every",))

    def test_a_property_with_a_two(self, refused, arrays, tmp_path):
        lines = [f"{i},{i % 2},{i % 3}" for i in range(30)]
        (tmp_path / "l.csv").write_text("\n".join(["row,odd,third", *lines]))
        saying = ("l.csv, line 4", "'third' is '2'", "0 or 1")
        refused("fit", "rows.npz", *SHORT, "--labels", "l.csv", saying=saying)

    def test_one_column_in_a_file(self, refused, arrays, tmp_path):
        (tmp_path / "l.csv").write_text("row,odd\n" + "".join(f"{i},{i % 2}\n" for i in range(30)))
        options = ("--labels", "l.csv", "--task", "multilabel")
        refused(
            "fit", "rows.npz", *SHORT, *options, saying=("--task multilabel needs a first line",)
        )

    @pytest.mark.parametrize("value", ["nan", "inf", "cheap", ""])
    def test_a_file_with_something_else_than_a_number(self, refused, arrays, tmp_path, value):
        text = "".join(f"{i},{i}.5\n" for i in range(9)) + f"9,{value}\n"
        (tmp_path / "l.csv").write_text(text)
        options = ("--labels", "l.csv", "--task", "regression")
        refused("fit", "rows.npz", *SHORT, *options, saying=("l.csv, line 10",))

    def test_few_given_numbers(self, refused, arrays, tmp_path):
        (tmp_path / "l.csv").write_text("".join(f"{i},{i}.5\n" for i in range(5)))
        options = ("--labels", "l.csv", "--task", "regression")
        saying = ("5 labelled samples are too few", "6 samples or more")
        refused("fit", "rows.npz", *SHORT, *options, saying=saying)

    def test_pictures_without_numbers(self, refused, pictures):
        options = ("--task", "regression", "--labels", 9)
        saying = ("pictures", "no numbers ('left', 'right')", "--task regression")
        refused("fit", "pictures", *SHORT, *options, saying=saying)
        options = ("--task", "multilabel", "--labels", 9)
        refused("fit", "pictures", *SHORT, *options, saying=("--task multilabel", "0 and 1"))

    def test_pictures_without_labels(self, refused, tmp_path):
        (tmp_path / "flat").mkdir()
        for i in range(20):
            picture(i % 2, i).save(tmp_path / "flat" / f"{i}.png")
        options = ("--task", "regression", "--labels", 9)
        refused("fit", "flat", *SHORT, *options, saying=("flat", "holds none"))

    def test_amounts_that_look_like_classes(self, refused, tmp_path):
        X, _ = rows_of_three_classes(100)
        np.savez(tmp_path / "a.npz", X=X, y=np.arange(100) * 10)
        saying = ("too few for 100 classes", "amounts", "--task regression")
        refused("fit", "a.npz", *SHORT, "--labels", 30, saying=saying)


def test_what_only_classes_have(cuello, refused, table):
    cuello("fit", "t.csv", *PRICE, "--labels", 20, *SHORT, "--out", "run")
    sure = ("classify", "run", "t.csv", "-o", "v.csv", "--min-precision", 0.9)
    refused(*sure, saying=("--min-precision 0.9 is for classes", "leave --min-precision out"))
    suggest = ("suggest", "run", "t.csv", "-n", 3)
    refused(*suggest, saying=("task 'regression'", "only known for classes"))


def test_a_property_that_few_have_is_named(cuello, tmp_path):
    X, _ = rows_of_three_classes()
    y = np.stack([np.arange(60) % 2, np.arange(60) == 59], axis=1)
    np.savez(tmp_path / "a.npz", X=X, y=y)
    options = ("--task", "multilabel", "--labels", 9, "--seed", 1, *SHORT)
    said = cuello("fit", "a.npz", *options, "--out", "run").out
    assert "note: in repeat 1 property '1' is the same in all 9 labelled samples" in said
    assert said.count("is the same in") == 1
