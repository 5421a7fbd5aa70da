"""The networks of a run as ONNX files, each compared with PyTorch before it is returned."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

import cuello
from cuello.arrays import Array
from cuello.errors import InputError, RunError
from cuello.export.modules import Decoder, Encoder, LabelPredictor
from cuello.few_label import FewLabelRegressor
from cuello.run import Run

__all__ = [
    "ROWS",
    "TOLERANCE",
    "Exported",
    "Part",
    "convert",
    "export_models",
    "onnx_models",
    "parts_of",
    "require_onnx",
    "sample_rows",
]

TOLERANCE = 1e-4
"""Largest difference from PyTorch that is let through, as a share of the range of the values."""
OPSET = 18
"""The oldest that PyTorch writes as it is: what runs the files, browsers too, need not be new."""
ROWS = 256
"""Rows that are compared."""


class Exported(NamedTuple):
    """An ONNX file that agrees with PyTorch, with the names of its input and its output."""

    content: bytes
    takes: str
    gives: str
    difference: float
    """The largest, as a share of the range of the values."""
    rows: int
    """How many rows were compared."""
    tied: int = 0
    """How many more could not be: which of two rows is nearer hangs on rounding."""


class Part(NamedTuple):
    """One network: what goes in, and what PyTorch makes of it."""

    module: Encoder | Decoder | LabelPredictor
    given: npt.NDArray[np.float32]
    expected: Array
    span: Array | float
    """The range of the values, by which differences are divided."""
    tied: npt.NDArray[np.bool_]
    """Rows whose answer hangs on rounding: they cannot be compared."""


def onnx_models(run: Run) -> dict[str, bytes]:
    """Return the networks of a run as ONNX files, with the scaling of the data inside.

    Parameters
    ----------
    run : Run
        An opened run folder.

    Returns
    -------
    dict of str to bytes
        ``encoder`` takes ``samples``, float32 (batch, ...) in the data's own units, and gives
        ``embeddings`` (batch, latents); ``decoder`` the reverse; ``classifier``, if the run had
        classes or properties, takes ``samples`` and gives ``probabilities``, with the temperature
        applied; ``regressor``, if its labels were numbers, takes ``samples`` and gives
        ``predictions`` (batch,). Any batch size.

    Raises
    ------
    InputError
        If ``onnx``, ``onnxscript`` or ``onnxruntime`` are not installed.
    RunError
        If a network cannot be expressed in ONNX, or differs from PyTorch by more than 1e-4 of the
        range of the values.

    Examples
    --------
    >>> import tempfile, cuello
    >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=20)
    >>> sorted(onnx_models(cuello.open_run(folder.path)))
    ['decoder', 'encoder']
    """
    return {name: found.content for name, found in export_models(run, sample_rows(run)).items()}


def export_models(run: Run, rows: Array) -> dict[str, Exported]:
    """Do what :func:`onnx_models` does with the rows to compare on, and say how near it came.

    Parameters
    ----------
    run : Run
        An opened run folder.
    rows : ndarray of shape (n, ...)
        Of the data, one or more.

    Raises
    ------
    InputError, RunError
        As :func:`onnx_models`.
    """
    require_onnx()
    rows = np.asarray(rows, dtype=np.float32)
    return {name: convert(run, name, part) for name, part in parts_of(run, rows).items()}


def require_onnx() -> None:
    """Refuse where what writes and runs ONNX files is not installed.

    Raises
    ------
    InputError
        Naming what to install.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"ONNX files need {error.name or 'onnx'}, which is not installed; install it with: "
            'pip install "cuello[onnx]"'
        ) from None


def sample_rows(run: Run) -> npt.NDArray[np.float32]:
    """Return samples that the run's folder keeps, or else decoded embeddings that it keeps.

    Raises
    ------
    RunError
        If what is kept is damaged.
    """
    kept = run.folder.read_arrays("examples.npz")
    names = ("typical_original", "best_original", "worst_original")
    shape = run.autoencoder.shape_
    found = [kept[n] for n in names if n in kept and kept[n].shape[1:] == shape and len(kept[n])]
    codes = kept.get("projection_embeddings", np.empty(0))[:ROWS]
    if codes.ndim != 2 or codes.shape[1] != run.autoencoder.latent_dim_ or not len(codes):
        codes = run.autoencoder.embedding_mean_[None]
    decoded = run.autoencoder.inverse_transform(codes)
    rows = np.concatenate([*(rows.astype(np.float32) for rows in found), decoded])[:ROWS]
    return np.asarray(rows, dtype=np.float32)


def parts_of(run: Run, rows: npt.NDArray[np.float32]) -> dict[str, Part]:
    """Return the networks of a run by name."""
    model = run.autoencoder
    back = model.inverse_transform(codes := model.transform(rows))
    none = np.zeros(len(rows), dtype=bool)
    parts = {
        "encoder": Part(Encoder(model), rows, codes, _reach(codes), none),
        "decoder": Part(Decoder(model), codes, back, _range(rows), none),
    }
    few_label = run.classifier
    if few_label is not None:
        predictor = LabelPredictor(few_label)
        tied = predictor.tied(torch.from_numpy(rows)).numpy()
        if isinstance(few_label, FewLabelRegressor):
            expected = few_label.predict(rows)
            parts["regressor"] = Part(predictor, rows, expected, _reach(expected), tied)
        else:
            expected = few_label.predict_proba(rows)
            parts["classifier"] = Part(predictor, rows, expected, 1.0, tied)
    return parts


def _range(rows: Array) -> Array:
    """Return the range of rows: of each column for tables, otherwise of all values."""
    axis = 0 if rows.ndim == 2 else None
    span = np.nanmax(rows, axis=axis) - np.nanmin(rows, axis=axis)
    # What never changes has no range: its size counts, or 1.
    size = np.maximum(np.abs(np.nanmax(rows, axis=axis)), 1.0)
    return np.asarray(np.where(span > 0, span, size))


def _reach(values: Array) -> float:
    """Return how far values reach, from one another or from 0."""
    return max(float(np.ptp(values)), float(np.abs(values).max()), 1e-6)


def convert(run: Run, name: str, part: Part) -> Exported:
    """Write one network as ONNX, and compare it with PyTorch.

    Raises
    ------
    RunError
        If it cannot be written, or differs.
    """
    content = _to_onnx(run, name, part)
    if not (clear := ~part.tied).any():
        raise RunError(
            f"{run.folder.path}: the {name} cannot be compared with PyTorch: of every row tried, "
            "which neighbours vote hangs on rounding; fit with another method."
        )
    given, expected = part.given[clear], part.expected[clear]
    compute = _session(content, part)
    # A fixed batch size would fail for one of these.
    apart = [np.abs(compute(given[:n]) - expected[:n]) / part.span for n in {1, len(given)}]
    difference = float(np.max([one.max() for one in apart]))  # NaN, if any is
    if not difference <= TOLERANCE:
        raise RunError(
            f"{run.folder.path}: the {name} as ONNX differs from PyTorch by {difference:.1e} of "
            f"the range of its values, more than {TOLERANCE:g}; nothing was written. Please report "
            "it with the run's config.json."
        )
    names = part.module.takes, part.module.gives
    return Exported(content, *names, difference, len(given), int(part.tied.sum()))


def _to_onnx(run: Run, name: str, part: Part) -> bytes:
    import onnx

    example = torch.from_numpy(part.given[:1]).expand(3, *part.given.shape[1:]).clone()
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                part.module.eval(),
                (example,),
                input_names=[part.module.takes],
                output_names=[part.module.gives],
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                opset_version=OPSET,
                verbose=False,
            )
        assert program is not None
        model = program.model_proto
    except Exception as failure:  # whatever the exporter raises for a layer it does not know
        error: BaseException = failure
        while error.__cause__ is not None:  # the exporter wraps it in advice for its developers
            error = error.__cause__
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise RunError(
            f"{run.folder.path}: the {name} cannot be expressed in ONNX ({reason}); use the run "
            "folder from Python."
        ) from failure
    about = {"cuello": cuello.__version__, "shape": json.dumps(list(run.autoencoder.shape_))}
    if part.module.gives == "probabilities":
        about["classes"] = json.dumps(list(run.properties or run.classes), ensure_ascii=False)
    _forget_sources(model.graph)
    onnx.helper.set_model_props(model, about)
    content: bytes = model.SerializeToString()
    return content


def _forget_sources(graph: Any) -> None:
    """Remove from which line of which file on this machine each operator came."""
    for record in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        record.ClearField("metadata_props")
        record.ClearField("doc_string")
    for record in graph.initializer:
        record.ClearField("metadata_props")


def _session(content: bytes, part: Part) -> Callable[[Array], Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def compute(rows: Array) -> Array:
        return np.asarray(session.run([part.module.gives], {part.module.takes: rows})[0])

    return compute


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which tells its developers much and users nothing."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
