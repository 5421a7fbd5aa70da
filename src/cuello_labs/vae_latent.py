"""The latent plane of a variational autoencoder of digits, as its training goes on."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.neighbors import KNeighborsClassifier
from torch import from_numpy, no_grad

from cuello.data import load
from cuello.estimators import Autoencoder
from cuello.study.summary import spread
from cuello.study.trials import Ran, Record, Trial, over
from cuello.train import Callback, Epoch
from cuello_labs import _vae_pictures as pictures
from cuello_labs._fit import fit
from cuello_labs._packed import pack
from cuello_labs._vae_networks import decoder, encoder
from cuello_labs.base import Findings, Lab, Table

__all__ = ["LAB", "PROTOCOL", "decoder", "encoder"]

Array = npt.NDArray[Any]

EPOCHS = (1, 15, 30, 50, 100)
GRID = 10
POINTS = 2000  # embeddings that are drawn, and draws from the aggregate posterior
AGREE = 4  # of 5 neighbours, for a decoded point to count as a digit
LEGIBLE = 7  # digits that the grid must show for the latent plane to count as one of digits

PROTOCOL: Mapping[str, Any] = {
    "kind": "variational",
    "loss": "bce",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "batch_size": 100,
    "scaling": "auto",
    "validation_fraction": 0.0,
}
"""The published protocol as options of an autoencoder."""


def trials(quick: bool) -> list[Trial]:
    """Return 2 trainings of 100 epochs on MNIST; of 20 on small digits where it must be quick."""
    if quick:
        return over(2, [{"data": "digits", "looks": [1, 5, 20]}])
    return over(2, [{"data": "mnist", "looks": list(EPOCHS)}])


def run(missing: list[Trial]) -> Ran:
    """Train once a trial, and measure the latent plane after each of its epochs."""
    for trial in missing:
        X, y = _all_images(trial.options["data"])
        yield trial, train(X, y, trial.options["looks"], trial.seed)


def train(X: Array, y: Array, looks: Sequence[int], seed: int) -> dict[str, Any]:
    """Train for the last of the epochs in ``looks``, and measure after each of them."""
    side = X.shape[1]
    model = Autoencoder(
        **PROTOCOL,
        encoder=functools.partial(encoder, side),
        decoder=functools.partial(decoder, side),
        epochs=max(looks),
        random_state=seed,
    )
    judge = KNeighborsClassifier(5).fit(X.reshape(len(X), -1), y)
    result: dict[str, Any] = {"looks": {}, "reconstruction": [], "kl": [], "seconds": []}

    def after_epoch(epoch: Epoch) -> None:
        for term in ("reconstruction", "kl"):
            result[term].append(round(epoch.train[term], 3))
        result["seconds"].append(round(epoch.seconds, 3))
        if epoch.epoch + 1 in looks:
            # A copy, for the network itself may be on another device and goes on training.
            still = copy.copy(model)
            still.module_ = copy.deepcopy(model.module_).to("cpu").eval()
            look = measure(still, X, judge, draw=seed == 0)
            result["looks"][str(epoch.epoch + 1)] = look

    fit(model, X, callbacks=Callback(on_epoch_end=after_epoch))
    if seed == 0:
        result |= {"side": side, "labels": y[_some(len(X))].tolist()}
    return result


@no_grad()
def measure(
    model: Autoencoder, X: Array, judge: KNeighborsClassifier, *, draw: bool
) -> dict[str, Any]:
    """Measure the latent plane: the aggregate posterior, the digits of the grids, and samples."""
    some = _some(len(X), 10 * POINTS)
    posterior = model.module_.encoder(from_numpy(model.scaling_.apply(X[some])))
    mean, log_variance = (half.numpy().astype(float) for half in posterior.chunk(2, dim=1))
    result: dict[str, Any] = aggregate(mean, log_variance)
    for name, axis in grids().items():
        images = model.inverse_transform(points(axis)).clip(0.0, X.max()) / X.max()
        shown = digits_shown(judge, images * X.max())
        result |= {f"{name}_digits": shown, f"{name}_shown": len(set(shown) - {-1})}
        if draw:
            result[f"{name}_images"] = pack(images)
    if draw:
        embeddings = model.transform(X[_some(len(X))])
        result["embeddings"] = np.round(embeddings, 2).astype(float).tolist()
    return result


def grids() -> dict[str, Array]:
    """Return the coordinates of each grid on an axis: even in [-1, 1], and by normal quantiles."""
    return {
        "even": np.linspace(-1.0, 1.0, GRID),
        "quantile": norm.ppf((np.arange(GRID) + 0.5) / GRID),
    }


def points(axis: Array) -> Array:
    """Return all pairs of coordinates, row by row, the smallest second latent first: (n * n, 2)."""
    across, up = np.meshgrid(axis, axis)
    return np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)


def digits_shown(judge: KNeighborsClassifier, images: Array) -> list[int]:
    """Return the class of each image, -1 where fewer than 4 of its 5 nearest images agree."""
    shares = judge.predict_proba(images.reshape(len(images), -1))
    best = judge.classes_[shares.argmax(axis=1)]
    return [
        int(c) if p >= AGREE / 5 - 1e-9 else -1 for c, p in zip(best, shares.max(1), strict=True)
    ]


def aggregate(mean: Array, log_variance: Array, draws: int = POINTS) -> dict[str, Any]:
    """Compare the aggregate posterior, the mixture of all posteriors, with N(0, I).

    Parameters
    ----------
    mean, log_variance : ndarray of shape (n, K)
        Of the posterior of each sample.
    draws : int
        From the mixture, for the Monte Carlo estimate.

    Returns
    -------
    dict
        ``embedding_mean``, ``embedding_sd`` : lists of K, of the mixture. ``kl_aggregate``: KL(q(z)
        || N(0, I)) in nats. ``information``: information of an embedding on its sample, KL(q(z | x)
        || N(0, I)) less that (Hoffman and Johnson, "ELBO surgery", 2016), in nats.
    """
    variance = np.exp(log_variance)
    middle = mean.mean(axis=0)
    sd = np.sqrt(variance.mean(axis=0) + mean.var(axis=0))
    rng = np.random.default_rng(0)
    component = rng.integers(len(mean), size=draws)
    z = mean[component] + np.sqrt(variance[component]) * rng.standard_normal((draws, mean.shape[1]))
    log_q = np.empty(draws)
    for start in range(0, draws, 100):  # bounds the memory of (draws, n, K)
        part = z[start : start + 100, None, :]
        logs = -0.5 * ((part - mean) ** 2 / variance + log_variance + math.log(2 * math.pi))
        log_q[start : start + 100] = logsumexp(logs.sum(axis=2), axis=1) - math.log(len(mean))
    log_p = norm.logpdf(z).sum(axis=1)
    kl_aggregate = float(np.mean(log_q - log_p))
    kl_samples = float(np.mean(0.5 * (mean**2 + variance - 1.0 - log_variance).sum(axis=1)))
    return {
        "embedding_mean": np.round(middle, 4).tolist(),
        "embedding_sd": np.round(sd, 4).tolist(),
        "kl_aggregate": round(kl_aggregate, 4),
        "information": round(kl_samples - kl_aggregate, 4),
    }


def show(records: list[Record]) -> Findings:
    """Compare the latent plane over the epochs."""
    looks = list(map(int, records[0]["looks"]))
    first, last = looks[0], looks[-1]
    fastest = [min(record["seconds"]) for record in records]
    early, late, normal = (
        spread(r["looks"][str(epoch)][name] for r in records)
        for epoch, name in ((first, "even_shown"), (last, "even_shown"), (last, "quantile_shown"))
    )
    falls = all(sum(_loss(r, last)) < sum(_loss(r, first)) for r in records)
    holds = falls and late.mean >= LEGIBLE
    loss = [spread(sum(_loss(r, epoch)) for r in records) for epoch in (first, last)]
    verdict = (
        f"The latent plane {'becomes' if holds else 'does not become'} one of digits: after {last} "
        f"epochs the grid over [-1, 1]² shows {late} of 10 digits ({early} after {first}) and the "
        f"grid of normal quantiles {normal}, while the loss goes from {loss[0]} to {loss[1]} nats "
        "an image."
    )
    return Findings(
        verdict=verdict,
        holds=holds,
        tables=[
            Table(
                title="The loss over the epochs, nats an image",
                columns=("after epoch", "cross-entropy", "KL", "sum"),
                rows=[_loss_row(records, epoch) for epoch in looks],
                note=f"{len(records)} seeds. Only the pictures were published, so there are no "
                f"published figures. An epoch took {spread(fastest)} s at its fastest.",
            ),
            Table(
                title="The latent plane over the epochs",
                columns=(
                    "after epoch",
                    "mean of a latent",
                    "its deviation",
                    "KL to N(0, I)",
                    "information",
                    "digits in [-1, 1]²",
                    "by quantiles",
                ),
                rows=[_latent_row(records, epoch) for epoch in looks],
                note="Mean and deviation are those of the aggregate posterior, which would be 0 "
                "and 1 if it were the prior; its KL to N(0, I) and the information of an embedding "
                "on its image are in nats. A grid shows a digit if, of at least one of its 100 "
                "points, 4 of the 5 nearest images are that digit.",
            ),
        ],
        pictures=pictures.draw(records, looks, grids()),
    )


def _loss_row(records: list[Record], epoch: int) -> tuple[object, ...]:
    terms = [_loss(record, epoch) for record in records]
    return (
        epoch,
        *(spread(column) for column in zip(*terms, strict=True)),
        spread(map(sum, terms)),
    )


def _latent_row(records: list[Record], epoch: int) -> tuple[object, ...]:
    measured = [record["looks"][str(epoch)] for record in records]
    return (
        epoch,
        spread(v for look in measured for v in look["embedding_mean"]),
        spread(v for look in measured for v in look["embedding_sd"]),
        *(
            spread(look[name] for look in measured)
            for name in ("kl_aggregate", "information", "even_shown", "quantile_shown")
        ),
    )


def _loss(record: Record, epoch: int) -> tuple[float, float]:
    return record["reconstruction"][epoch - 1], record["kl"][epoch - 1]


def _all_images(name: str) -> tuple[Array, Array]:
    """Return training and test images together, in their own units, and their digits."""
    data = load(name)
    assert data.y is not None
    if data.X_test is None or data.y_test is None:
        return data.X, data.y
    return np.concatenate([data.X, data.X_test]), np.concatenate([data.y, data.y_test])


def _some(count: int, most: int = POINTS) -> Array:
    """Return the indices of samples that represent all: always the same ones."""
    return np.random.default_rng(0).permutation(count)[:most]


LAB = Lab(
    name="vae-latent",
    title="The latent plane of a variational autoencoder",
    claim="Trained on all 70,000 MNIST images with 2 latents, the latent plane is shown after "
    "1, 15, 30, 50 and 100 epochs: points decoded on a 10x10 grid over [-1, 1]² turn from blots "
    "into digits, and the posterior means, coloured by digit, part into groups.",
    source="course deck 'TP5: Autoencoders'",
    protocol={
        "images": "all 70,000 of MNIST, 28x28 in 0..1, without labels",
        "encoder": "convolutions of 10 and 20 channels (3x3, stride 2, ReLU), dense 16 (ReLU), "
        "mean and log-variance of 2",
        "decoder": "dense 7*7*64 (ReLU), transposed convolutions of 20 and 10 channels (3x3, "
        "stride 2, ReLU) and 1 (sigmoid)",
        "training": "Adam at 1e-3, batch 100; binary cross-entropy summed over pixels, plus KL; "
        "pictures of all epochs are from one training",
        "digits of the grids": "5 nearest neighbours on pixels",
        "aggregate posterior": "mixture of the posteriors of 20,000 images, 2,000 draws",
        "seeds": "2",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
