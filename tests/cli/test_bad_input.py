"""Law: what cannot be done is refused in one line with exit code 2, and nothing is written."""

from __future__ import annotations

import gc
import gzip
import json
import os
import shutil
import struct
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_samples import SMALL, picture, rows_of_three_classes, run, tree
from safetensors.numpy import load_file, save_file

from cuello import Autoencoder, InputError
from cuello.data import fetch


def write_table(path, rows=40, **columns):
    rng = np.random.default_rng(0)
    made = {name: rng.normal(size=rows) for name in ("a", "b", "c", "d")} | columns
    lines = [",".join(made), *(",".join(map(str, row)) for row in zip(*made.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")


# Options


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        ("--nosie 0.3", ("--nosie", "did you mean --noise")),
        ("--lataent 3", ("--lataent", "did you mean --latent")),
        ("--lataent=3", ("--lataent", "did you mean --latent")),
        ("--epoch 3", ("--epoch ", "--epochs")),
        ("-z", ("-z is not an option",)),
        ("extra", ("unexpected extra argument", "extra")),
        ("--epochs", ("--epochs needs a value",)),
        ("--noise-level", ("--noise-level needs a value",)),
        ("--out --overwrite", ("--out needs a value", "--overwrite")),
        ("--labels --overwrite", ("--labels needs a value",)),
        ("--epochs abc", ("--epochs", "integer")),
        ("--latent 2.5", ("--latent", "integer")),
        ("--dropout much", ("--dropout", "number")),
        ("--noise-level x", ("--noise-level", "number")),
        ("--noise-level -3", ("--noise-level -3.0 must be", "0 or more", "--noise-level 0.75")),
        ("--noise gausian", ("gausian", "'gaussian'")),
        ("--kind denoisng", ("--kind denoisng is not known", "did you mean 'denoising'", "plain")),
        (
            "--kind plain --noise-level 0.3",
            ("--noise-level", "an option of --kind denoising, not of --kind plain"),
        ),
        ("--network dens", ("dens", "'dense'")),
        ("--epochs -1", ("--epochs -1 must be a whole number, 1 or more",)),
        ("--epochs 0", ("--epochs 0 must",)),
        ("--compare=yes", ("--compare takes no value",)),
        ("--repeats 0", ("--repeats 0 must be a whole number, at least 1, or 'auto'",)),
        ("--validation 1.5", ("--validation 1.5", "between 0 and 1")),
        ("--validation nan", ("--validation nan must be a share",)),
        ("--test 0", ("--test 0.0 must be a share",)),
        (
            "--validation 0.6 --test 0.5",
            ("--validation 0.6 and --test 0.5 leave nothing to train on",),
        ),
        ("--latent 0", ("--latent 0 must",)),
        ("--latent 6", ("--latent 6 must", "(6)", "1..5", "or give --allow-overcomplete.")),
        ("--latent 600", ("--latent 600 must",)),
        ("--hidden a", ("--hidden a", "512,256")),
        ("--hidden 0", ("--hidden 0 must be widths of 1 or more",)),
        ("--batch-size 43", ("--batch-size 43 must", "training samples (42)", "auto")),
        ("--batch-size 0", ("--batch-size 0 must",)),
        ("--batch-norm --batch-size 1", ("--batch-norm needs", "leave --batch-norm out")),
        ("--seed -1", ("--seed -1 must",)),
        ("--seed 99999999999", ("--seed 99999999999 must", "2147483647")),
        ("--lr 0", ("--learning-rate 0.0 must",)),
        ("--lr nan", ("--learning-rate nan must",)),
        (
            "--task regression",
            ("--task regression learns from labels", "--labels 300", "--labels all"),
        ),
        ("--task multilabel", ("has shape (60,)", "0 and 1 in two columns or more")),
        ("--task clases", ("--task clases is not known", "'multiclass'")),
        (
            "--task binary --labels 6",
            ("--task binary", "two classes", "has 3", "--task multiclass"),
        ),
        ("--method mean_techer", ("--method mean_techer is not known", "'mean_teacher'", "ladder")),
        (
            "--method label_spreading",
            ("--method label_spreading learns from labels", "--labels 300", "--labels all"),
        ),
        ("--encoder-lr-factor 5", ("--encoder-lr-factor 5.0 must",)),
        ("--time soon", ("--time soon must be seconds above 0", "1h30m")),
        ("--time 0", ("--time 0.0 must be a finite number, above 0", "leave --time out")),
        ("--log-to mlfow", ("--log-to mlfow is not known", "did you mean 'mlflow'")),
        ("--dropout 1", ("--dropout 1.0 must be", "below 1")),
        ("--gradient-clip -1", ("--gradient-clip -1.0 must", "leave --gradient-clip out")),
        ("--patience 0", ("--patience 0 must", "leave --patience out")),
        ("--loss mes", ("--loss mes is not known", "'mse'")),
        ("--loss bce", ("--loss bce needs", "use --scaling minmax with", "or --loss mse")),
        (
            "--activation rel",
            (
                "--activation rel is",
                "'relu'",
            ),
        ),
        ("--optimizer adm", ("'adam'",)),
        ("--schedule cos", ("'cosine'",)),
        ("--scaling minmx", ("'minmax'",)),
        ("--precision f16", ("'bf16'",)),
        ("--augment shift=0.1", ("--augment shift=0.1 moves", "leave --augment out for tables")),
        ("--image-size 28", ("--image-size is for", "leave --image-size out")),
        ("--image-size 0", ("--image-size 0", "28x32")),
        ("--image-size 99999", ("--image-size 99999", "65535")),
        ("--image-size 28x28x3", ("--image-size 28x28x3",)),
        ("--label-column y", ("--label-column is for", "leave --label-column out")),
        ("--labels 0", ("0 labels are too few for 3 classes", "3 or more")),
        ("--labels 2", ("2 labels are too few for 3 classes",)),
        ("--labels 43", ("43 labels", "only 42 samples")),
        ("--labels -5", ("--labels -5 is", "1 or more")),
        ("--labels 5.5", ("--labels 5.5 is", "1 or more")),
        ("--labels alll", ("--labels alll is", "did you mean all?")),
        ("--labels rows.csv", ("--labels rows.csv is", "rows.npz")),
        ("--resume run", ("--resume run", "leave rows.npz out")),
        ("--trust-remote-code", ("--trust-remote-code goes with --resume",)),
        ("--kind conditional", ("--kind conditional needs classes", "pass --labels 300")),
        ("--kind variational --bata 2", ("--bata", "did you mean --beta")),
        ("--kind variational --loss huber", ("--loss huber", "--loss mse (Gaussian)")),
        ("--kind variational --samples 0", ("--samples 0", "1 or more")),
        ("--kind sparse --noise flip", ("--noise is an option of --kind denoising",)),
        ("--kind sparse --penalty l3", ("--penalty l3", "'l1'")),
        ("--kind masked --share 1.5", ("--share 1.5 must be", "above 0 and below 1")),
        ("--kind vector-quantised --groups 5", ("--groups 5 must divide --latent 2",)),
        ("--kind contractive --weight -1", ("--weight -1", "0 or more")),
        ("--kind stacked --greedy-share 2", ("--greedy-share 2",)),
        ("--kind adversarial --critic-hidden 0", ("--critic-hidden 0",)),
        ("--kind wasserstein --kernel rbff", ("--kernel rbff", "'rbf'")),
        ("--kind variational --tied", ("--tied", "here 2 and 4", "leave --tied out")),
        ("--network con", ("--network con is not known", "did you mean 'conv'")),
        ("--network conv", ("--network conv cannot take samples of shape (6,)", "--network dense")),
        ("--network sequence", ("--network sequence needs (n, time, features)",)),
        ("--network dense --up transposed", ("--up is an option of --network conv",)),
        ("--encoder nowhere:encoder", ("--decoder", "give encoder and decoder together")),
        ("--output-activation tanh --scaling minmax", ("reaches -1..1", "--scaling symmetric")),
    ],
)
def test_option(refused, arrays, options, saying):
    refused("fit", "rows.npz", *SMALL, *options.split(), saying=saying)


def test_a_way_out_is_named_once_and_as_a_flag(refused, pictures, tmp_path):
    broken_image(pictures)
    refused("fit", "pictures", *SMALL, saying=("p00.png: cannot be read", " --skip-bad "))
    write_table(tmp_path / "t.csv", y=["p", "q"] * 20, label=["r", "s"] * 20)
    text = refused("fit", "t.csv", *SMALL, saying=("; use --label-column ",))
    assert text.count("--label-column") == 1


def test_what_looks_like_an_option_in_the_data_stays(refused, tmp_path):
    write_table(tmp_path / "t.csv", kind=["plain"] * 40, seed=[1] * 40)
    refused("fit", "t.csv", *SMALL, saying=("samples: kind=plain, seed;", "--keep-constant"))
    (tmp_path / "seed=1").mkdir()
    refused("fit", "seed=1", *SMALL, saying=("/seed=1: holds no image",))


def test_the_library_speaks_of_arguments():
    X, _ = rows_of_three_classes()
    with pytest.raises(InputError, match=r"latent_dim=6 .* or use allow_overcomplete=True"):
        Autoencoder(latent_dim=6).fit(X)


def test_device_that_is_not_here(refused, arrays):
    refused("fit", "rows.npz", *SMALL, "--device", "tpu", saying=("--device tpu cannot", "'cpu'"))


def test_device_without_values(refused, arrays):
    refused("fit", "rows.npz", *SMALL, "--device", "meta", saying=("--device meta cannot", "'cpu'"))


def test_batch_of_all_training_rows(cuello, arrays):
    cuello("fit", "rows.npz", *SMALL, "--batch-size", 42)


def test_unknown_option_before_the_data(refused, arrays):
    refused("fit", "--nosie", "0.3", "rows.npz", saying=("--nosie", "did you mean --noise"))


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ("fitt rows.npz", ("fitt", "'fit'")),
        ("--versoin", ("--versoin",)),
        ("fit", ("which data",)),
        ("embed", ("RUN",)),
        ("embed run", ("DATA",)),
        ("embed run rows.npz", ("--out",)),
        ("embed run rows.npz --otu x", ("--otu", "--out")),
        ("embed run rows.npz more -o x", ("more",)),
        ("info", ("RUN",)),
        ("report", ("RUN",)),
    ],
)
def test_command(refused, arguments, saying):
    refused(*arguments.split(), saying=saying)


# Data


@pytest.mark.parametrize(
    ("data", "saying"),
    [
        ("mnits", ("mnits", "did you mean 'mnist'", "digits, fashion-mnist, font, mnist")),
        ("digits:x", ("no subsets",)),
        ("font:lowr", ("lowr", "'lower'")),
        ("rows.npy", ("rows.npy: does not exist", "did you mean rows.npz")),
        ("no/such/folder", ("no/such/folder: does not exist",)),
        ("~no-such-user/rows.npz", ("does not exist",)),
        ("", ("which data",)),
        ("x" * 5000, ("x" * 5000,)),
    ],
)
def test_path_that_is_missing(refused, arrays, data, saying):
    refused("fit", data, *SMALL, saying=saying)


def test_set_that_cannot_be_downloaded(refused, tmp_path, monkeypatch):
    monkeypatch.delenv("CUELLO_DATA", raising=False)
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "mnist").mkdir(parents=True)

    def no_network(url, path):
        raise OSError("network is unreachable")

    monkeypatch.setattr(fetch, "_retrieve", no_network)
    refused("fit", "mnist", saying=("mnist", "network is unreachable", "CUELLO_DATA", "mnist/"))


def test_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    refused("fit", "empty", *SMALL, saying=("empty: holds no image", ".png"))


def broken_image(path):
    file = path / "left" / "p00.png"
    file.write_bytes(file.read_bytes()[:60])
    return file


def test_truncated_image(refused, pictures):
    broken_image(pictures)
    refused("fit", "pictures", *SMALL, saying=("p00.png: cannot be read", "--skip-bad"))


def test_skipped_image_is_named(cuello, pictures, tmp_path):
    broken_image(pictures)
    (pictures / "right" / "p01.png").write_text("no image")
    outcome = cuello("fit", "pictures", *SMALL, "--skip-bad", "--out", "run")
    note = "2 images cannot be read and were skipped: left/p00.png, right/p01.png"
    assert f"note: {note}\n" in outcome.out
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert note in config["notes"]
    assert sum(config["data"]["rows"].values()) == 38
    outcome = cuello("embed", "run", "pictures", "--skip-bad", "-o", "codes.parquet")
    assert f"note: {note}\n" in outcome.out
    assert "38 samples" in outcome.out


def test_broken_image_when_embedding(cuello, refused, pictures, tmp_path):
    cuello("fit", "pictures", *SMALL, "--out", "run")
    broken_image(pictures)
    refused("embed", "run", "pictures", "-o", "codes.parquet", saying=("p00.png", "--skip-bad"))


def test_not_one_image_left(refused, pictures):
    for file in pictures.rglob("*.png"):
        file.write_bytes(b"nothing")
    refused("fit", "pictures", *SMALL, "--skip-bad", saying=("not one of 40 images",))


def test_images_of_different_sizes(refused, cuello, pictures):
    picture(0, 1).resize((9, 8)).save(pictures / "left" / "wide.png")
    refused("fit", "pictures", *SMALL, saying=("wide.png", "8x9", "--image-size 8"))
    cuello("fit", "pictures", *SMALL, "--image-size", "8")


def damaged(tmp_path, name):
    X, y = rows_of_three_classes()
    file = tmp_path / name
    if name.endswith(".npz"):
        np.savez_compressed(file, X=X, y=y)
    elif name.endswith(".npy"):
        np.save(file, X)
    elif name.endswith(".parquet"):
        pq.write_table(pa.table({f"c{i}": X[:, i] for i in range(6)}), file)
    elif name.endswith(".csv.gz"):
        text = "a,b,c\n" + "\n".join(f"{a},{b},{c}" for a, b, c in X[:, :3])
        file.write_bytes(gzip.compress(text.encode()))
    else:
        raw = struct.pack(">2xBB2I", 0x0D, 2, *X.shape) + X.astype(">f4").tobytes()
        file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return file


FORMATS = ["a.npz", "a.npy", "a.parquet", "a.csv.gz", "a-idx2-float", "a-idx2-float.gz"]


@pytest.mark.parametrize("name", FORMATS)
def test_truncated_file(cuello, refused, tmp_path, name):
    file = damaged(tmp_path, name)
    cuello("fit", name, *SMALL, "--out", "run")
    content = file.read_bytes()
    for keep in (0, 0.5, 0.98):
        file.write_bytes(content[: int(keep * len(content))])
        refused("fit", name, *SMALL, "--out", "other", saying=(name,))
        refused("embed", "run", name, "-o", "codes.parquet", saying=(name,))


def test_object_arrays_and_pickles(refused, tmp_path):
    np.savez(tmp_path / "a.npz", X=np.array([[1, None], [2, "x"]], dtype=object))
    np.save(tmp_path / "a.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04N.")
    (tmp_path / "a.pt").write_bytes(b"\x80\x04N.")
    for name in ("a.npz", "a.npy", "a.pkl", "a.pt"):
        refused("fit", name, *SMALL, saying=(name, "pickle", "np.savez"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(cuello, refused, finished, tmp_path, value):
    X, _ = rows_of_three_classes()
    X[7, 3] = value
    np.savez(tmp_path / "bad.npz", X=X)
    saying = ("bad.npz", "NaN or infinite", "row 7")
    refused("fit", "bad.npz", *SMALL, saying=saying)
    refused("classify", "run", "bad.npz", "-o", "classes.csv", saying=saying)


def test_infinity_in_a_table(refused, tmp_path):
    values = np.ones(40)
    values[3] = np.inf
    write_table(tmp_path / "t.csv", bad=values)
    refused("fit", "t.csv", *SMALL, saying=("t.csv", "infinite", "row 3"))


def test_column_that_is_empty(refused, tmp_path):
    write_table(tmp_path / "t.csv", void=[""] * 40)
    refused("fit", "t.csv", *SMALL, saying=("t.csv", "'void'", "empty"))


def test_broken_cells_of_a_table(cuello, refused, tmp_path):
    values = ["1.5"] * 20 + ["2.5"] * 19 + ["oops"]
    write_table(tmp_path / "t.csv", mixed=values)
    refused("fit", "t.csv", *SMALL, saying=("t.csv", "'mixed'", "row 39", "'oops'", "--skip-bad"))
    outcome = cuello("fit", "t.csv", *SMALL, "--skip-bad", "--out", "run")
    assert "note: 1 broken rows were skipped: 39\n" in outcome.out
    notes = json.loads((tmp_path / "run" / "config.json").read_text())["notes"]
    assert "1 broken rows were skipped: 39" in notes


def test_constant_columns(cuello, refused, tmp_path):
    write_table(tmp_path / "t.csv", same=[5] * 40)
    refused("fit", "t.csv", *SMALL, saying=("same", "single value", "--keep-constant"))
    cuello("fit", "t.csv", *SMALL, "--keep-constant")


def test_all_values_alike(refused, tmp_path):
    np.savez(tmp_path / "a.npz", X=np.full((30, 5), 3.0))
    np.savez(tmp_path / "b.npz", X=np.zeros((30, 5, 5), dtype=np.uint8))
    for name in ("a.npz", "b.npz"):
        for more in ((), ("--keep-constant",)):
            refused("fit", name, *SMALL, *more, saying=(name, "nothing to learn"))


@pytest.mark.parametrize("shape", [(60,), (60, 2, 2, 2, 2), (0, 6), (60, 0), (60, 1)])
def test_arrays_of_a_wrong_shape(refused, tmp_path, shape):
    X = np.random.default_rng(0).normal(size=shape)
    np.savez(tmp_path / "a.npz", X=X)
    refused("fit", "a.npz", *SMALL)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_too_few_rows(refused, tmp_path, rows):
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(rows, 4)))
    refused("fit", "a.npz", *SMALL, saying=("a.npz", "too few"))


def test_labels_of_another_length(refused, tmp_path):
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "a.npz", X=X, y=y[:-1])
    refused("fit", "a.npz", *SMALL, saying=("a.npz", "59 labels for 60"))


def test_numbers_instead_of_classes(refused, tmp_path):
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "a.npz", X=X, y=y + 0.5)
    refused("fit", "a.npz", *SMALL, saying=("a.npz", "number to predict"))


# Other data for a run


@pytest.fixture(scope="module")
def _run_on_a_table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_table(folder / "t.csv", y=["p", "q"] * 20)
    outcome = run(folder, "fit", "t.csv", *SMALL, "--labels", 2, "--repeats", 1, "--out", "tables")
    assert outcome.code == 0, outcome
    return folder / "tables"


@pytest.fixture
def run_on_a_table(_run_on_a_table, tmp_path):
    """Finished run on a table with two classes, as the folder ``tables``."""
    shutil.copytree(_run_on_a_table, tmp_path / "tables")


@pytest.mark.parametrize(
    ("command", "out"),
    [("embed", "o.parquet"), ("reconstruct", "o.npz"), ("classify", "o.csv"), ("suggest", "o.csv")],
)
class TestOtherData:
    def test_other_shape(self, refused, finished, tmp_path, command, out):
        X, _ = rows_of_three_classes()
        np.savez(tmp_path / "narrow.npz", X=X[:, :5])
        np.savez(tmp_path / "images.npz", X=X.reshape(60, 2, 3))
        for name, shape in (("narrow.npz", "(5,)"), ("images.npz", "(2, 3)")):
            refused(command, "run", name, "-o", out, saying=(name, shape, "(6,)"))

    def test_missing(self, refused, finished, command, out):
        refused(command, "run", "row.npz", "-o", out, saying=("did you mean rows.npz",))
        refused(command, "rum", "rows.npz", "-o", out, saying=("rum", "run folder"))

    def test_missing_columns(self, refused, run_on_a_table, tmp_path, command, out):
        write_table(tmp_path / "u.csv")
        text = (tmp_path / "u.csv").read_text().replace("b,", "bee,", 1)
        (tmp_path / "u.csv").write_text(text)
        refused(command, "tables", "u.csv", "-o", out, saying=("u.csv", "'b'", "bee"))

    def test_images_for_a_table(self, refused, run_on_a_table, pictures, command, out):
        refused(command, "tables", "pictures", "-o", out, saying=("pictures", "trained on table"))

    def test_output(self, refused, finished, tmp_path, command, out):
        (tmp_path / "folder").mkdir()
        refused(
            command, "run", "rows.npz", "-o", "folder", saying=("folder", "is a folder", out[1:])
        )
        refused(command, "run", "rows.npz", "-o", "rows.npz/x", saying=("rows.npz/x",))
        other = "o.csv" if not out.endswith(".csv") else "o.parquet"
        refused(command, "run", "rows.npz", "-o", other, saying=(other, out))

    @pytest.mark.skipif(
        sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
        reason="no folder is read-only here",
    )
    def test_read_only_output(self, refused, finished, tmp_path, command, out):
        (tmp_path / "closed").mkdir()
        (tmp_path / "closed").chmod(0o500)
        refused(command, "run", "rows.npz", "-o", f"closed/{out}", saying=("Permission denied",))

    def test_unwritable_output(self, refused, finished, command, out):
        refused(command, "run", "rows.npz", "-o", f"/dev/null/{out}", saying=("/dev/null",))


def test_pixels_of_another_range(cuello, refused, tmp_path):
    bytes_ = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "bytes.npz", X=bytes_)
    np.savez(tmp_path / "unit.npz", X=bytes_ / 255)
    np.savez(tmp_path / "floats.npz", X=bytes_.astype(np.float32))
    cuello("fit", "bytes.npz", *SMALL, "--out", "of_bytes")
    cuello("fit", "unit.npz", *SMALL, "--out", "of_unit")
    refused("embed", "of_bytes", "unit.npz", "-o", "o", saying=("unit.npz", "up to 1", "up to 255"))
    refused(
        "embed", "of_unit", "bytes.npz", "-o", "o", saying=("bytes.npz", "up to 255", "up to 1")
    )
    for name, data in (("of_bytes", "bytes"), ("of_bytes", "floats"), ("of_unit", "unit")):
        cuello("embed", name, f"{data}.npz", "-o", f"{name}-{data}.parquet")
    one, two = (tmp_path / f"of_bytes-{data}.parquet" for data in ("bytes", "floats"))
    assert pq.read_table(one).equals(pq.read_table(two))


def test_network_that_is_too_large(refused, arrays, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr("cuello.networks.build_network", fail)
    refused("fit", "rows.npz", *SMALL, saying=("not enough memory", "--hidden"))


def test_arguments_in_the_wrong_order(refused, finished):
    refused("embed", "rows.npz", "run", "-o", "o.parquet", saying=("rows.npz",))


@pytest.mark.parametrize("command", ["classify", "suggest"])
def test_no_classifier_without_labels(refused, unlabelled, command):
    refused(command, "bare", "rows.npz", "-o", "c.csv", saying=("bare", "--labels"))


@pytest.mark.parametrize("sure", ["0", "1", "95", "-0.5", "nan", "inf"])
def test_confidence_that_is_none(refused, finished, sure):
    saying = ("--min-precision", "above 0 and below 1")
    refused("classify", "run", "rows.npz", "-o", "c.csv", f"--min-precision={sure}", saying=saying)
    refused("classify", "rum", "rows.npz", "-o", "c.csv", f"--min-precision={sure}", saying=saying)


@pytest.mark.parametrize("number", ["0", "-3", "many", "1.5"])
def test_number_of_suggestions_that_is_none(refused, finished, number):
    refused("suggest", "run", "rows.npz", f"--number={number}", saying=("--number",))


def test_suggestions_where_every_row_has_a_label(cuello, refused, arrays):
    cuello("fit", "rows.npz", *SMALL, "--labels", "all", "--repeats", 1, "--out", "all")
    saying = ("60 samples have a label", "further data")
    # Every row but those that were kept to measure on.
    cuello("suggest", "all", "rows.npz", "-n", 1, "-o", "rest.csv")
    table = pq.read_table(arrays.parent / "all" / "embeddings.parquet")
    X, y = rows_of_three_classes()
    np.savez(arrays.parent / "rest.npz", X=X, y=np.where(table["labelled"].to_numpy(), -1, y))
    refused("suggest", "all", "rest.npz", "-o", "o.csv", saying=saying)


def test_suggestions_are_not_replaced_by_accident(cuello, refused, finished, tmp_path):
    cuello("suggest", "run", "rows.npz")
    refused("suggest", "run", "rows.npz", saying=("suggestions.csv", "--out"))
    cuello("suggest", "run", "rows.npz", "--out", "suggestions.csv")


def test_suggestions_from_a_run_that_does_not_say_what_it_learned_from(refused, finished):
    file = finished / "embeddings.parquet"
    whole = pq.read_table(file)
    command = ("suggest", "run", "rows.npz", "-o", "o.csv")
    pq.write_table(whole.drop_columns("labelled"), file)
    refused(*command, saying=("embeddings.parquet", "no column labelled"))
    file.write_bytes(file.read_bytes()[:-9])
    refused(*command, saying=("embeddings.parquet", "cannot be used"))
    pq.write_table(whole.drop_columns("z1"), file)
    refused(*command, saying=("embeddings.parquet", "z1"))
    file.unlink()
    refused(*command, saying=("embeddings.parquet",))


# Labels


def test_data_without_labels(refused, tmp_path):
    X, _ = rows_of_three_classes()
    np.savez(tmp_path / "a.npz", X=X)
    for labels in ("6", "all"):
        refused("fit", "a.npz", *SMALL, "--labels", labels, saying=("a.npz", "holds none"))


def test_one_class(refused, tmp_path):
    X, _ = rows_of_three_classes()
    np.savez(tmp_path / "a.npz", X=X, y=np.full(60, 4))
    refused("fit", "a.npz", *SMALL, "--labels", 6, saying=("a.npz", "2 classes", "'4'"))


LABELS = "".join(f"{i},{i % 3}\n" for i in range(30))


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("", ("labels.csv", "empty")),
        ("row,label\n", ("labels.csv", "no labels")),
        (LABELS + "60,1\n", ("labels.csv, line 31", "0 to 59")),
        (LABELS + "p7.png,1\n", ("labels.csv, line 31", "p7.png")),
        (LABELS + "31,7\n", ("labels.csv, line 31", "'7' is no class", "'0', '1', '2'")),
        (LABELS + "31,\n", ("labels.csv, line 31", "empty")),
        (LABELS + "31\n", ("labels.csv, line 31",)),
        (LABELS + "0,1\n", ("labels.csv, line 31", "line 1")),
        (LABELS.replace(",2\n", ",1\n"), ("no sample is labelled '2'", "every class")),
        ("0,0\n1,1\n2,2\n", ("no class has 3 labelled samples",)),
    ],
)
def test_file_of_labels(refused, arrays, tmp_path, text, saying):
    (tmp_path / "labels.csv").write_text(text)
    refused("fit", "rows.npz", *SMALL, "--labels", "labels.csv", saying=saying)


def test_file_of_labels_for_pictures(refused, tmp_path):
    (tmp_path / "flat").mkdir()
    for i in range(40):
        picture(i % 2, i).save(tmp_path / "flat" / f"p{i:02}.png")
    lines = [f"p{i:02}.png,{('horse', 'zebra')[i % 2]}" for i in range(30)]
    for line, saying in (
        ("p3O.png,horse", ("line 31", "p3O.png", "did you mean 'p3")),
        ("p30.png,hosre", ("line 31", "'hosre'", "'horse'")),
        ("p30.png,Zebra", ("line 31", "'Zebra'", "'zebra'")),
    ):
        (tmp_path / "labels.csv").write_text("\n".join([*lines, line]))
        refused("fit", "flat", *SMALL, "--labels", "labels.csv", saying=saying)
    (tmp_path / "labels.csv").write_text(
        "\n".join(line.replace("zebra", "horse") for line in lines)
    )
    refused("fit", "flat", *SMALL, "--labels", "labels.csv", saying=("2 classes", "'horse'"))


def test_folder_of_labels(refused, pictures):
    refused("fit", "pictures", *SMALL, "--labels", "pictures", saying=("pictures", "CSV"))


def test_label_column_with_a_typing_error(refused, tmp_path):
    write_table(tmp_path / "t.csv", species=["p", "q"] * 20)
    refused(
        "fit",
        "t.csv",
        "--label-column",
        "spezies",
        saying=("--label-column spezies is no", "'species'"),
    )


def test_many_classes_with_a_label_each(cuello, tmp_path):
    y = np.arange(144) % 24
    X = np.random.default_rng(0).normal(size=(144, 4)) + y[:, None]
    np.savez(tmp_path / "a.npz", X=X, y=y)
    cuello("fit", "a.npz", *SMALL, "--labels", 24, "--repeats", 1)


# Folder of the run


def test_folder_that_holds_a_run(cuello, refused, finished):
    refused("fit", "rows.npz", *SMALL, "--out", "run", saying=("--resume run", "--overwrite"))
    (finished / "mine.txt").write_text("keep me")
    (finished / "sub").mkdir()
    before = json.loads((finished / "config.json").read_text())
    cuello("fit", "rows.npz", *SMALL, "--seed", 3, "--out", "run", "--overwrite")
    assert (finished / "mine.txt").read_text() == "keep me"
    assert (finished / "sub").is_dir()
    after = json.loads((finished / "config.json").read_text())
    assert (before["job"]["seed"], after["job"]["seed"]) == (0, 3)
    assert not (finished / "few_labels.jsonl").exists()  # of the run that was replaced


@pytest.mark.parametrize(
    "option",
    [
        ("--seed", -1),
        ("--encoder-lr-factor", 2),
        ("--activation", "rel"),
        ("--loss", "mes"),
        ("--scaling", "minmx"),
        ("--initializer", "hee_normal"),
        ("--output-activation", "sigmod"),
        ("--network", "dens"),
        ("--epochs", 0),
        ("--schedule", "cos"),
        ("--lr", -1),
        ("--augment", "shfit"),
    ],
)
def test_bad_option_is_told_before_the_folder_that_is_taken(refused, finished, option):
    text = refused("fit", "rows.npz", *SMALL, *option, "--out", "run")
    assert "already holds a run" not in text
    assert str(option[1]) in text


def test_bad_option_leaves_the_run_that_is_there(refused, finished):
    for option in (("--latent", 9), ("--labels", 1), ("--validation", 2), ("--loss", "mes")):
        refused("fit", "rows.npz", *SMALL, *option, "--out", "run", "--overwrite")


def test_bad_data_leaves_the_run_that_is_there(refused, finished, tmp_path):
    (tmp_path / "rows.npz").write_bytes(b"PK")
    refused("fit", "rows.npz", *SMALL, "--out", "run", "--overwrite", saying=("rows.npz",))


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_folder_with_other_files(refused, arrays, tmp_path, more):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "metrics.json").write_text("mine")
    refused("fit", "rows.npz", *SMALL, "--out", "thesis", *more, saying=("thesis", "no run"))


def test_folder_that_is_a_file(refused, arrays):
    refused("fit", "rows.npz", *SMALL, "--out", "rows.npz", saying=("rows.npz is a file",))
    refused("fit", "rows.npz", *SMALL, "--out", "rows.npz/run", saying=("rows.npz/run",))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="no folder is read-only here"
)
def test_folder_that_is_read_only(refused, arrays, tmp_path):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0o500)
    refused("fit", "rows.npz", *SMALL, "--out", "closed/run", saying=("Permission denied",))


# A run folder that was damaged


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


COMMANDS = [
    ("embed", "run", "rows.npz", "-o", "o.parquet"),
    ("reconstruct", "run", "rows.npz", "-o", "o.npz"),
    ("classify", "run", "rows.npz", "-o", "o.csv"),
    ("suggest", "run", "rows.npz", "-o", "o.csv"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_damaged_weights(refused, finished, command):
    file = finished / "model.safetensors"
    tensors = load_file(file)
    cut(file)
    refused(*command, saying=("model.safetensors",))
    save_file(tensors | {"classifier/new": np.zeros(3)}, file)
    refused(*command, saying=("model.safetensors",))
    save_file(tensors | {"foreign": np.zeros(3)}, file)
    refused(*command, saying=("model.safetensors",))
    save_file({k: v for k, v in tensors.items() if "autoencoder" not in k}, file)
    refused(*command, saying=("model.safetensors",))
    save_file({k: np.atleast_1d(v)[..., :1] * 1 for k, v in tensors.items()}, file)
    refused(*command, saying=("model.safetensors",))
    file.unlink()
    refused(*command, saying=("model.safetensors", "not finished"))


@pytest.mark.parametrize(
    "command",
    [*COMMANDS, ("info", "run"), ("report", "run"), ("fit", "--resume", "run")],
    ids=lambda command: command[0],
)
def test_damaged_configuration(refused, finished, command):
    file = finished / "config.json"
    whole = file.read_text()
    for text in (whole[: len(whole) // 2], "", "[]", "null", "\x00\xff"):
        file.write_text(text)
        refused(*command, saying=("config.json", "damaged"))
    file.write_bytes(b"\xff\xfe{}")
    refused(*command, saying=("config.json", "damaged"))
    file.unlink()
    refused(*command, saying=("run",))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("missing", ["data", "autoencoder", "classifier"])
def test_configuration_without_a_part(refused, finished, command, missing):
    edit(finished / "config.json", **{missing: {}})
    refused(*command, saying=("config.json",))


@pytest.mark.parametrize("changes", [{"data": {}}, {"data": 3}, {"job": {}}, {"versions": []}])
def test_info_on_an_edited_configuration(refused, finished, changes):
    edit(finished / "config.json", **changes)
    refused("info", "run", saying=("config.json", "damaged"))


def test_edited_model(refused, finished):
    config = json.loads((finished / "config.json").read_text())
    record = config["autoencoder"]
    for params in ({"latent_dim": 3}, {"kind": "none"}, {"hidden": [9]}, {"new": 1}):
        edit(
            finished / "config.json",
            autoencoder=record | {"params": record["params"] | params},
        )
        for command in COMMANDS:
            refused(*command, saying=("run", "config.json"))


def test_edited_classes(refused, finished):
    config = json.loads((finished / "config.json").read_text())
    edit(finished / "config.json", data=config["data"] | {"classes": ["0"]})
    refused(*COMMANDS[2], saying=("config.json",))


def test_weights_of_another_run(cuello, refused, finished, tmp_path):
    cuello("fit", "rows.npz", *SMALL, "--hidden", 9, "--out", "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", finished)
    for command in COMMANDS:
        refused(*command, saying=("config.json and model.safetensors",))


def test_missing_metrics(refused, finished):
    (finished / "metrics.json").unlink()
    refused("info", "run", saying=("metrics.json",))
    refused("report", "run", saying=("metrics.json",))


@pytest.mark.parametrize(
    "name",
    [
        "metrics.json",
        "history.jsonl",
        pytest.param(
            "examples.npz",
        ),
    ],
)
def test_report_of_damaged_files(refused, finished, name):
    cut(finished / name)
    refused("report", "run", saying=(name, "damaged"))
    gc.collect()  # a file that was left open is noticed here, not in some later test


@pytest.mark.parametrize("changes", [{"data": {}}, {"autoencoder": {}}, {"versions": []}])
def test_report_on_an_edited_configuration(refused, finished, changes):
    edit(finished / "config.json", **changes)
    refused("report", "run", saying=("config.json", "damaged"))


# --resume


def unfinish(run):
    """Leave a run as it is when its training has ended and nothing else has."""
    edit(run / "config.json", status="running")
    for name in ("metrics.json", "model.safetensors", "embeddings.parquet", "report.html"):
        (run / name).unlink()


def test_resume_without_a_run(refused, arrays, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("nowhere", "empty", "rows.npz"):
        refused("fit", "--resume", folder, saying=(folder, "no run"))


@pytest.mark.parametrize("option", [("--epochs", 3), ("--overwrite",), ("x.csv",)])
def test_resume_with_something_else(refused, finished, option):
    unfinish(finished)
    for arguments in (("--resume", "run", *option), (*option, "--resume", "run")):
        refused("fit", *arguments, saying=("--resume run", f"leave {option[0]} out"))


def test_resume_of_a_finished_run(cuello, finished, tmp_path):
    before = tree(tmp_path)
    outcome = cuello("fit", "--resume", "run")
    assert "run is finished" in outcome.err
    assert "report: run/report.html" in outcome.out
    assert tree(tmp_path) == before


def test_resume_with_other_data(refused, finished, tmp_path):
    unfinish(finished)
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "rows.npz", X=X, y=y[::-1])
    refused("fit", "--resume", "run", saying=("rows.npz", "another fingerprint", "--overwrite"))
    (tmp_path / "rows.npz").unlink()
    refused("fit", "--resume", "run", saying=("rows.npz: does not exist",))


def test_resume_with_a_damaged_checkpoint(refused, finished):
    unfinish(finished)
    for content in (b"", b"no tensors", b"\x08\0\0\0\0\0\0\0{}      "):
        (finished / "checkpoint.safetensors").write_bytes(content)
        refused("fit", "--resume", "run", saying=("checkpoint.safetensors", "--overwrite"))


def test_resume_with_half_a_line(cuello, finished):
    unfinish(finished)
    file = finished / "few_labels.jsonl"
    cut(file)
    before = file.read_bytes()
    outcome = cuello("fit", "--resume", "run", code=2)
    assert "few_labels.jsonl is damaged" in outcome.complaint
    assert file.read_bytes() == before


@pytest.mark.parametrize("changes", [{"data": {}}, {"notes": 3}])
def test_resume_with_an_edited_configuration(refused, finished, changes):
    unfinish(finished)
    edit(finished / "config.json", **changes)
    refused("fit", "--resume", "run", saying=("config.json", "damaged"))
