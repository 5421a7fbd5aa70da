"""Convolutional autoencoders need up-sampling."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from cuello.errors import CuelloWarning, DivergedError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.networks import conv, dense
from cuello.study.figures import COLOURS, DASHES, new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._comparison import compare, sign_of_difference
from cuello_labs._images import Images, checkerboard, image_strips, images, rounded
from cuello_labs.base import Findings, Lab, Picture, Table

METHODS = {
    "upsample": "conv, repeated pixels",
    "transposed": "conv, transposed",
    "half": "conv, dense decoder",
    "dense": "dense",
    "pca": "PCA",
}
DENSE_EPOCHS = 8
"""Epochs of a dense network for one of the others: its epochs are at least as much shorter."""

TRAINING: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "loss": "mse",
    "schedule": "constant",
}
EXAMPLES = 8

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return every network; dense ones take more epochs, for theirs are far shorter."""
    settings = [{"method": method} for method in METHODS]
    common: dict[str, Any] = (
        {"data": "digits", "train_size": 800, "test_size": 400, "channels": [8, 16]}
        | {"latent_dim": 16, "epochs": 10, "batch_size": 32, "learning_rate": 0.003}
        if quick
        else {"data": "mnist", "train_size": 10000, "test_size": 2000, "channels": [16, 32]}
        | {"latent_dim": 32, "epochs": 12, "batch_size": 128, "learning_rate": 0.001}
    )
    return over(3 if quick else 5, settings, **common)


def run(missing: list[Trial]) -> Ran:
    """Train one network after another, so that seconds are comparable."""
    if not missing:
        return
    data = images(*(missing[0].options[key] for key in ("data", "train_size", "test_size")))
    for trial in missing:
        yield trial, (_pca if trial.options["method"] == "pca" else _network)(data, trial)


def _network(data: Images, trial: Trial) -> dict[str, Any]:
    model = network(data.X.shape[1:], trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        try:
            model.fit(data.X)
        except DivergedError:
            return {"diverged": True}
    seconds = np.cumsum([epoch.seconds for epoch in model.history_])
    return {
        "diverged": False,
        "parameters": sum(p.numel() for p in model.module_.parameters()),
        "seconds": rounded(seconds),
        "held_out": rounded(np.array([epoch.loss for epoch in model.history_]), 6),
        **_judge_output(data, model.reconstruct(data.X_test), trial),
    }


def _pca(data: Images, trial: Trial) -> dict[str, Any]:
    pca = fit_pca(data.X, trial.options["latent_dim"], seed=trial.seed)
    embeddings = pca.transform(data.X_test.reshape(len(data.X_test), -1))
    output = pca.inverse_transform(embeddings).reshape(data.X_test.shape)
    size = pca.components_.size + pca.mean_.size
    return {"parameters": size, **_judge_output(data, output, trial)}


def _judge_output(data: Images, output: Array, trial: Trial) -> dict[str, Any]:
    measured: dict[str, Any] = {
        "error": float(np.mean((data.X_test - output) ** 2)),
        "checkerboard": checkerboard(output - data.X_test),
    }
    if trial.seed == 0:
        measured["examples"] = rounded(output[:EXAMPLES], 2)
        measured["originals"] = rounded(data.X_test[:EXAMPLES], 2)
    return measured


def network(shape: tuple[int, ...], trial: Trial) -> Autoencoder:
    """Return the network of a trial, untrained, with as many parameters as the others."""
    options = trial.options
    channels, size, method = options["channels"], options["latent_dim"], options["method"]
    names = ("latent_dim", "epochs", "batch_size", "learning_rate")
    common = {**TRAINING, **{k: options[k] for k in names}, "random_state": trial.seed}
    if method in ("upsample", "transposed"):
        up = {"up": method}
        return Autoencoder(**common, network="conv", network_options=up, hidden=channels)
    encoder, decoder = conv.build_conv(shape, size, size, hidden=channels)
    half = _count(decoder)
    pixels = math.prod(shape)
    if method == "half":
        width = round((half - pixels) / (size + 1 + pixels))  # size -> width -> pixels, and biases
        _, decoder = dense.build_dense(shape, size, size, hidden=(width,))
        return Autoencoder(**common, encoder=encoder, decoder=decoder)
    both = half + _count(encoder)
    width = round((both - pixels - size) / (2 * (pixels + size) + 2))
    common["epochs"] *= DENSE_EPOCHS
    return Autoencoder(**common, network="dense", hidden=(width,))


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def at_time(records: list[Record], seconds: float) -> list[float]:
    """Return the lowest held-out error that each run had reached after so many seconds."""
    reached = []
    for record in records:
        times, errors = np.array(record["seconds"]), np.array(record["held_out"])
        reached.append(float(errors[times <= seconds].min(initial=math.inf)))
    return reached


def show(records: list[Record]) -> Findings:
    """Compare at equal parameters: after equal epochs, after equal time, and after all of them."""
    runs = {method: subset for (method,), subset in group(records, "method").items()}
    trained = {m: [r for r in subset if "seconds" in r] for m, subset in runs.items() if m != "pca"}
    every = [record for subset in trained.values() for record in subset]
    common_time = min((record["seconds"][-1] for record in every), default=math.nan)
    epochs = min((len(record["seconds"]) for record in every), default=0)
    error = {method: spread(values(subset, "error")) for method, subset in runs.items()}
    timed = {method: spread(at_time(subset, common_time)) for method, subset in trained.items()}
    same = {
        method: spread(min(record["held_out"][:epochs]) for record in subset)
        for method, subset in trained.items()
    }
    board = {method: spread(values(subset, "checkerboard")) for method, subset in runs.items()}
    holds, verdict = judge(same, timed, board)
    rows = [
        (
            METHODS[method],
            subset[0].get("parameters"),
            spread(r["seconds"][-1] / len(r["seconds"]) for r in trained[method]).mean
            if method in trained
            else None,
            same.get(method),
            timed.get(method),
            error[method],
            board[method],
        )
        for method, subset in runs.items()
    ]
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[
            Table(
                title="At equal parameters",
                columns=(
                    "network",
                    "parameters",
                    "seconds an epoch",
                    f"held-out error after {epochs} epochs",
                    f"after {common_time:.2g} seconds",
                    "test error after all epochs",
                    "checkerboard (1 is none)",
                ),
                rows=rows,
                note="Errors are mean squared differences, pixels in 0..1; lowest so far on held-"
                "out training images, and of test images at the best epoch. Seconds are those of "
                "the machine that ran it. Mean ± sd over seeds of weights.",
            )
        ],
        pictures=_pictures(runs, trained, error),
    )


def judge(
    same: Mapping[str, Spread], timed: Mapping[str, Spread], board: Mapping[str, Spread]
) -> tuple[bool | None, str]:
    """Compare decoders after equal epochs, and with the dense network; return the verdict.

    Parameters
    ----------
    same, timed : mapping of method to Spread
        Held-out error after as many epochs, and after as much time.
    board : mapping of method to Spread
        Checkerboard in the errors.
    """
    ups = {method: same[method] for method in ("upsample", "transposed")}
    signs = [sign_of_difference(same["half"], error) for error in ups.values()]
    needed = all(sign > 0 for sign in signs)
    words = {1: "more than", 0: "no different from", -1: "less than"}
    beside = words[sign_of_difference(same["dense"], same["upsample"])]
    in_time = words[sign_of_difference(timed["dense"], timed["upsample"])]
    pattern = words[sign_of_difference(board["transposed"], board["upsample"])]
    refuted = not needed and min(signs) < 0
    need = "needs" if needed else "does not need" if refuted else "does not clearly need"
    verdict = (
        f"A convolutional encoder {need} a decoder that up-samples: at equal parameters and epochs "
        f"the held-out error is {same['half']} with a dense decoder, {same['upsample']} with "
        f"repeated pixels and {same['transposed']} with transposed convolutions; an all-dense "
        f"network has {same['dense']}, {beside} repeated pixels, and after equal time "
        f"{timed['dense']}, {in_time} its {timed['upsample']}; the checkerboard in the errors of "
        f"transposed convolutions is {pattern} that of repeated pixels ({board['transposed']} "
        f"against {board['upsample']})."
    )
    return (True if needed else False if refuted else None), verdict


def _pictures(
    runs: Mapping[str, list[Record]],
    trained: Mapping[str, list[Record]],
    error: Mapping[str, Spread],
) -> list[Picture]:
    pictures = [
        Picture(
            name="test-error",
            caption="Mean squared error of test images after all epochs, by network.",
            figure=compare(
                {METHODS[method]: measured for method, measured in error.items()},
                unit="mean squared error per pixel, values 0..1",
            ),
        ),
        Picture(
            name="error-against-time",
            caption="Held-out error against seconds and epochs of training; one line a seed.",
            figure=_curves(trained),
        ),
    ]
    drawn = {m: subset[0] for m, subset in runs.items() if "examples" in subset[0]}
    if drawn:
        pictures.append(
            Picture(
                name="reconstructions",
                caption="Test images, and their reconstructions by each network (first seed).",
                figure=image_strips(
                    {"test images": np.array(next(iter(drawn.values()))["originals"])}
                    | {METHODS[m]: np.array(r["examples"]) for m, r in drawn.items()}
                ),
            )
        )
    return pictures


def _curves(trained: Mapping[str, list[Record]]) -> Any:
    with new(2, width=10.5, height=4.4, sharey=True) as (figure, axes):
        for i, (method, subset) in enumerate(trained.items()):
            look: dict[str, Any] = {"color": COLOURS[i], "linestyle": DASHES[i], "alpha": 0.8}
            for n, record in enumerate(subset):
                errors = record["held_out"]
                label = METHODS[method] if n == 0 else None
                axes[0].plot(record["seconds"], errors, label=label, linewidth=1, **look)
                axes[1].plot(range(1, len(errors) + 1), errors, linewidth=1, **look)
        axes[0].set(xlabel="training (seconds)", ylabel="held-out mean squared error")
        axes[1].set(xlabel="training (epochs)")
        for panel in axes:
            panel.set_xscale("log")
            panel.set_yscale("log")
        figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure


LAB = Lab(
    name="convolution",
    title="Convolution and up-sampling",
    claim="Convolutional autoencoders need up-sampling: the decoder has to undo the encoder's "
    "strides or pooling.",
    source="autoencoder lectures",
    protocol={
        "data": "10,000 MNIST images, a tenth of them held out; 2,000 of the official test images",
        "networks": "two stages of 16 and 32 channels (3x3, stride 2) and 32 latents; the "
        "decoder up-samples in one of two ways, or is dense; and a network that is dense "
        "throughout; widths of dense parts such that all have as many parameters",
        "training": "mean squared error, Adam, learning rate 0.001 held constant, batches of 128, "
        "12 epochs; 96 for the dense network, which are compared after 12 and after equal time",
        "baseline": "PCA with as many components as latents",
        "seeds": "5",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
