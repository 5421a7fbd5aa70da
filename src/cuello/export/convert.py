"""The networks of a run as ONNX files, each compared with PyTorch before it is returned."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import cuello
from cuello.arrays import Array, Bools, Float32s
from cuello.errors import InputError, RunError
from cuello.export.modules import Decoder, Encoder, LabelPredictor
from cuello.few_label import FewLabelRegressor
from cuello.run import Run

__all__ = [
    "Exported",
    "Part",
    "convert",
    "export_models",
    "onnx_models",
    "parts_of",
    "require_onnx",
    "samples_to_compare",
]

_MOST_COMPARED = 256  # that are compared
_TOLERANCE = 1e-4  # largest difference from PyTorch, as a share of the range of the values
_OPSET = 18  # the oldest that PyTorch writes: what runs the files, browsers too, need not be new


class Exported(NamedTuple):
    """An ONNX file that agrees with PyTorch, with the names of its input and its output."""

    content: bytes
    takes: str
    gives: str
    difference: float
    """The largest, as a share of the range of the values."""
    rows: int
    """Number of samples that were compared."""
    tied: int = 0
    """Number of samples left out, as rounding decides which of two others is nearer."""


class Part(NamedTuple):
    """A network, samples to compare on, and PyTorch's outputs."""

    module: Encoder | Decoder | LabelPredictor
    inputs: Float32s
    expected: Array
    span: Array | float
    """The range of the values, by which differences are divided."""
    tied: Bools
    """Samples whose answer depends on rounding: they cannot be compared."""


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
    return {name: file.content for name, file in export_models(run, _stored_samples(run)).items()}


def export_models(run: Run, X: Array) -> dict[str, Exported]:
    """Return the networks of a run as ONNX files, compared with PyTorch on samples (n, ...)."""
    require_onnx()
    X = np.asarray(X, dtype=np.float32)
    return {name: convert(run, name, part) for name, part in parts_of(run, X).items()}


def require_onnx() -> None:
    """Refuse where a package that writes or runs ONNX files is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"ONNX files need {error.name or 'onnx'}, which is not installed; install it with: "
            'pip install "cuello[onnx]"'
        ) from None


def samples_to_compare(run: Run) -> tuple[Array, str]:
    """Return samples spread over the run's data, and a description of them."""
    try:
        data = run.training_data()
    except RunError as error:
        samples = _stored_samples(run)
        return samples, f"{len(samples)} samples and decoded embeddings of the run, as {error}"
    some = np.unique(np.linspace(0, len(data) - 1, _MOST_COMPARED).astype(np.int64))
    return data.X[some], f"{len(some)} samples of {data.name}"


def _stored_samples(run: Run) -> Float32s:
    """Return samples that the run's folder keeps, or else decoded embeddings that it keeps."""
    kept = run.folder.read_arrays("examples.npz")
    shape = run.autoencoder.shape_
    originals = [
        kept[name].astype(np.float32)
        for name in ("typical_original", "best_original", "worst_original")
        if name in kept and kept[name].shape[1:] == shape and len(kept[name])
    ]
    embeddings = kept.get("projection_embeddings", np.empty(0))[:_MOST_COMPARED]
    if embeddings.shape[1:] != (run.autoencoder.latent_dim_,) or not len(embeddings):
        embeddings = run.autoencoder.embedding_mean_[None]
    decoded = run.autoencoder.inverse_transform(embeddings)
    return np.concatenate([*originals, decoded], dtype=np.float32)[:_MOST_COMPARED]


def parts_of(run: Run, X: Float32s) -> dict[str, Part]:
    """Return the networks of a run by name."""
    model = run.autoencoder
    scaled = model.module_, model.scaling_
    back = model.inverse_transform(embeddings := model.transform(X))
    none = np.zeros(len(X), dtype=bool)
    parts = {
        "encoder": Part(Encoder(*scaled), X, embeddings, _reach(embeddings), none),
        "decoder": Part(Decoder(*scaled), embeddings, back, _range(X), none),
    }
    few_label = run.classifier
    if few_label is not None:
        predictor = LabelPredictor(few_label)
        tied = predictor.tied(torch.from_numpy(X)).numpy()
        if isinstance(few_label, FewLabelRegressor):
            expected = few_label.predict(X)
            parts["regressor"] = Part(predictor, X, expected, _reach(expected), tied)
        else:
            parts["classifier"] = Part(predictor, X, few_label.predict_proba(X), 1.0, tied)
    return parts


def _range(X: Array) -> Array:
    """Return the range of samples: of each column for tables, otherwise of all values."""
    axis = 0 if X.ndim == 2 else None
    span = np.nanmax(X, axis=axis) - np.nanmin(X, axis=axis)
    # What never changes has no range: its size counts, or 1.
    size = np.maximum(np.abs(np.nanmax(X, axis=axis)), 1.0)
    return np.asarray(np.where(span > 0, span, size))


def _reach(values: Array) -> float:
    """Return how far values reach, from one another or from 0."""
    return max(float(np.ptp(values)), float(np.abs(values).max()), 1e-6)


def convert(run: Run, name: str, part: Part) -> Exported:
    """Write one network as ONNX; raise RunError where that fails or differs from PyTorch."""
    import onnxruntime

    if not (clear := ~part.tied).any():
        raise RunError(
            f"{run.folder.path}: the {name} cannot be compared with PyTorch: of every sample "
            "tried, which neighbours vote hangs on rounding; fit with another method."
        )
    content = _to_onnx(run, name, part)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs, expected = part.inputs[clear], part.expected[clear]
    # A fixed batch size would fail for one of these.
    apart = [
        np.abs(session.run(None, {part.module.takes: inputs[:n]})[0] - expected[:n]) / part.span
        for n in {1, len(inputs)}
    ]
    difference = float(np.max([each.max() for each in apart]))  # NaN, if any is
    if not difference <= _TOLERANCE:
        raise RunError(
            f"{run.folder.path}: the {name} as ONNX differs from PyTorch by {difference:.1e} of "
            f"the range of its values, more than {_TOLERANCE:g}; nothing was written. Please "
            "report it with the run's config.json."
        )
    names = part.module.takes, part.module.gives
    return Exported(content, *names, difference, len(inputs), int(part.tied.sum()))


def _to_onnx(run: Run, name: str, part: Part) -> bytes:
    import onnx

    example = torch.from_numpy(part.inputs[:1]).expand(3, *part.inputs.shape[1:]).clone()
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
                opset_version=_OPSET,
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
    """Remove the file and line of this machine that each operator came from."""
    for record in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        record.ClearField("metadata_props")
        record.ClearField("doc_string")
    for record in graph.initializer:
        record.ClearField("metadata_props")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, whose messages are for its developers."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
