"""`cuello suggest`: rows that have no label, with their class and why."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_samples import SMALL, picture, rows_of_three_classes

from cuello import open_run


def read(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def labelled(run):
    table = pq.read_table(run / "embeddings.parquet")
    return set(table["row"].to_numpy()[table["labelled"].to_numpy()].tolist())


def test_rows_without_a_label_with_their_class_and_why(cuello, finished, tmp_path):
    said = cuello("suggest", "run", "rows.npz", "-n", 8, "-o", "next.csv").out
    assert said == "8 samples to label: next.csv\n"
    found = read(tmp_path / "next.csv")
    assert list(found[0]) == ["row", "class", "probability", "why"]
    rows = [int(one["row"]) for one in found]
    assert len(set(rows)) == 8
    assert len(labelled(finished)) == 3
    assert not set(rows) & labelled(finished)
    X, _ = rows_of_three_classes()
    run = open_run(finished)
    assert run.classifier is not None
    p = run.classifier.predict_proba(X[rows])
    assert [one["class"] for one in found] == [str(k) for k in p.argmax(axis=1)]
    np.testing.assert_allclose([float(one["probability"]) for one in found], p.max(1), atol=5e-5)
    for i, (_, second, best) in enumerate(np.argsort(p, axis=1)):
        reasons = found[i]["why"].split(", ")
        between = f"uncertain between {best} and {second}"
        assert (between in reasons) == (p[i, second] >= p[i, best] / 2)
        others = {"unlike anything labelled", "stands for others like it", between}
        assert set(reasons) <= others


def test_same_seed_same_rows(cuello, finished, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        cuello("suggest", "run", "rows.npz", "-n", 9, "-o", f"{name}.csv", "--seed", seed)
    a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_all_rows_that_are_left(cuello, finished, tmp_path):
    said = cuello("suggest", "run", "rows.npz", "-n", 1000).out
    assert said == "57 samples to label (no more are unlabelled): suggestions.csv\n"
    rows = {int(one["row"]) for one in read(tmp_path / "suggestions.csv")}
    assert rows == set(range(60)) - labelled(finished)
    why = [one["why"] for one in read(tmp_path / "suggestions.csv")]
    assert sum("unlike anything labelled" in text for text in why) in (5, 6)  # one in ten


def test_further_data(cuello, finished, tmp_path):
    X, _ = rows_of_three_classes()
    np.savez(tmp_path / "other.npz", X=X[::-1] + 0.5)  # other rows: none of them has a label
    cuello("suggest", "run", "other.npz", "-n", 1000, "-o", "other.csv")
    assert len(read(tmp_path / "other.csv")) == 60
    # Under other numbers, what was labelled has nothing to teach, and comes last.
    np.savez(tmp_path / "turned.npz", X=X[::-1])
    cuello("suggest", "run", "turned.npz", "-n", 1000, "-o", "turned.csv")
    last = [59 - int(one["row"]) for one in read(tmp_path / "turned.csv")[-3:]]
    assert set(last) == labelled(finished)
    # The run's own rows with more after them: what was labelled stays labelled.
    np.savez(tmp_path / "grown.npz", X=np.concatenate([X, X + 0.5]))
    cuello("suggest", "run", "grown.npz", "-n", 1000, "-o", "grown.csv")
    rows = {int(one["row"]) for one in read(tmp_path / "grown.csv")}
    assert rows == set(range(120)) - labelled(finished)
    # Rows that the data itself labels, if it does not label all.
    y = np.full(60, -1)
    y[:20] = 0
    y[20:30] = 1
    np.savez(tmp_path / "partly.npz", X=X + 0.5, y=y)
    cuello("suggest", "run", "partly.npz", "-n", 1000, "-o", "partly.csv")
    assert {int(one["row"]) for one in read(tmp_path / "partly.csv")} == set(range(30, 60))


@pytest.mark.parametrize("more", [0, 5])
def test_pictures_are_known_by_their_names(cuello, pictures, tmp_path, more):
    cuello("fit", "pictures", *SMALL, "--labels", 4, "--repeats", 1, "--out", "run")
    table = pq.read_table(tmp_path / "run" / "embeddings.parquet")
    known = set(table.filter(table["labelled"])["name"].to_pylist())
    assert len(known) == 4
    for i in range(more):  # they come first, so the others have new numbers
        picture(0, 100 + i).save(pictures / "left" / f"a{i}.png")
    cuello("suggest", "run", "pictures", "-n", 1000)
    names = [one["name"] for one in read(tmp_path / "suggestions.csv")]
    assert len(names) == 36 + more
    assert not set(names) & known


def test_suggestions_become_labels(cuello, tmp_path):
    (tmp_path / "flat").mkdir()
    for i in range(40):
        picture(i % 2, i).save(tmp_path / "flat" / f"{i:02}.png")
    lines = [f"{i:02}.png,{('left', 'right')[i % 2]}\n" for i in range(8)]
    (tmp_path / "labels.csv").write_text("".join(lines))
    options = (*SMALL, "--labels", "labels.csv", "--repeats", 1, "--out", "run")
    cuello("fit", "flat", *options)
    cuello("suggest", "run", "flat", "-n", 6)
    found = [one["name"] for one in read(tmp_path / "suggestions.csv")]
    assert not set(found) & {f"{i:02}.png" for i in range(8)}
    lines += [f"{name},{('left', 'right')[int(name[:2]) % 2]}\n" for name in found]
    (tmp_path / "labels.csv").write_text("".join(lines))
    shutil.rmtree(tmp_path / "run")
    cuello("fit", "flat", *options)
    assert len(labelled(tmp_path / "run")) == 14
