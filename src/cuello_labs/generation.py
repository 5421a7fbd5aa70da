"""Sampling: the similarity of samples to real images, by kind of autoencoder and sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from cuello.arrays import Array
from cuello.estimators import Autoencoder
from cuello.estimators.sample import fit_mixture
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs import _generation_pictures as pictures
from cuello_labs._fit import fit
from cuello_labs._images import Images, images
from cuello_labs._packed import pack
from cuello_labs.base import Findings, Lab, Table
from cuello_labs.metrics import frechet_distance

__all__ = ["LAB"]

KINDS = ("plain", "variational", "wasserstein", "adversarial")
SAMPLERS = ("prior", "Gaussian", "mixture")
PCA_NAME, REAL = "PCA", "test images"
MODEL: Mapping[str, Any] = {
    "network": "dense",
    "linear_skip": False,
    "loss": "bce",
    "scaling": "none",
}
ENCODER: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "network": "conv",
    "hidden": (16, 32),
    "latent_dim": 32,
    "scaling": "none",
    "random_state": 2026,
}
"""The fixed encoder in whose features distances are measured: the same for all that is compared."""

_DRAWN = 10
_COPY = 0.25  # of the distance of real images: samples as close as that count as copies


def trials(quick: bool) -> list[Trial]:
    """Return every kind, PCA and real images, with 3 seeds, on digits and on garments."""
    sizes: dict[str, Any] = {
        "train_size": 20_000,
        "samples": 5_000,
        "epochs": 15,
        "judge_epochs": 5,
    }
    sizes |= {"hidden": [512, 256], "latent_dim": 16}
    names = ["mnist", "fashion-mnist"]
    if quick:
        sizes = {"train_size": None, "samples": 400, "epochs": 60, "judge_epochs": 40}
        sizes |= {"hidden": [64], "latent_dim": 8}
        names = ["digits"]
    settings = [
        {"data": name, "model": model} for name in names for model in (REAL, PCA_NAME, *KINDS)
    ]
    return over(2 if quick else 3, settings, **sizes)


def run(missing: list[Trial]) -> Ran:
    """Draw samples from each model by each of its samplers, and judge them."""
    judges: dict[str, Judge] = {}
    for trial in missing:
        chosen = trial.options
        if chosen["data"] not in judges:
            data = images(chosen["data"], chosen["train_size"])
            judges[chosen["data"]] = Judge(data, chosen["judge_epochs"])
        judge = judges[chosen["data"]]
        samples = draw_samples(judge.images, chosen, trial.seed)
        result = {name: judge.judge(drawn, trial.seed == 0) for name, drawn in samples.items()}
        yield trial, {"samplers": result, "side": judge.images.side}


class Judge:
    """The fixed encoder, and the real images that samples are compared with."""

    def __init__(self, data: Images, epochs: int) -> None:
        self.images = data
        options = {**ENCODER, "latent_dim": min(ENCODER["latent_dim"], data.side)}
        self.encoder = fit(Autoencoder(**options, epochs=epochs), data.X)
        self.real = self.encoder.transform(data.X)
        self.nearest = NearestNeighbors(n_neighbors=1).fit(_flat(data.X))

    def judge(self, samples: Array, keep: bool) -> dict[str, Any]:
        """Return the Fréchet distance, and the distances of the nearest training images."""
        distances, indices = self.nearest.kneighbors(_flat(samples))
        result: dict[str, Any] = {
            "frechet": frechet_distance(self.real, self.encoder.transform(samples)),
            "nearest": float(np.median(distances)),
            "closest": float(np.quantile(distances, 0.01)),
        }
        if keep:
            result["images"] = pack(samples[:_DRAWN])
            result["neighbours"] = pack(self.images.X[indices[:_DRAWN, 0]])
        return result


def draw_samples(data: Images, options: Mapping[str, Any], seed: int) -> dict[str, Array]:
    """Return samples (n, side, side) of one model by each sampler."""
    rng = np.random.default_rng(seed)
    count, model = options["samples"], options["model"]
    if model == REAL:
        return {"real": data.X_test[rng.permutation(len(data.X_test))[:count]]}
    if model == PCA_NAME:
        pca = PCA(options["latent_dim"], random_state=seed).fit(_flat(data.X))
        embeddings = pca.transform(_flat(data.X))
        return {
            name: _clip(pca.inverse_transform(z), data.side)
            for name, z in draw_embeddings(embeddings, count, seed).items()
            if name != "prior"  # of PCA, that is the Gaussian
        }
    estimator = Autoencoder(
        model,
        **MODEL,
        hidden=options["hidden"],
        latent_dim=options["latent_dim"],
        epochs=options["epochs"],
        random_state=seed,
    )
    fit(estimator, data.X)
    embeddings = estimator.transform(data.X)
    return {
        name: _clip(estimator.inverse_transform(z), data.side)
        for name, z in draw_embeddings(embeddings, count, seed).items()
    }


def draw_embeddings(embeddings: Array, count: int, seed: int) -> dict[str, Array]:
    """Draw (count, K) from N(0, I), and from distributions fitted to embeddings (n, K)."""
    z = embeddings.astype(np.float64)  # a covariance in float32 need not be positive
    rng = np.random.default_rng(seed)
    mixture = fit_mixture(z, seed)
    samplers: dict[str, Callable[[], Array]] = {
        "prior": lambda: rng.standard_normal((count, z.shape[1])),
        "Gaussian": lambda: rng.multivariate_normal(z.mean(0), np.cov(z.T), count),
        # A mixture gives one component after the other.
        "mixture": lambda: rng.permutation(mixture.sample(count)[0]),
    }
    return {name: samplers[name]().astype(np.float32) for name in SAMPLERS}


def show(records: list[Record]) -> Findings:
    """Compare with samples of PCA, and with real images that were held out."""
    rows, texts, better, worse, copied, cases = [], [], 0, 0, 0, 0
    for (data,), runs in group(records, "data").items():
        measured = collect(runs)
        real = measured[REAL, "real"]
        for (model, sampler), by in measured.items():
            ratio = by["nearest"].mean / real["nearest"].mean
            closest = by["closest"].mean / real["closest"].mean
            rows.append((data, model, sampler, by["frechet"], by["nearest"], ratio, closest))
        ours = {key: by["frechet"] for key, by in measured.items() if key[0] in KINDS}
        theirs = [by["frechet"] for key, by in measured.items() if key[0] == PCA_NAME]
        best, pca = min(ours, key=lambda k: ours[k].mean), min(theirs, key=lambda s: s.mean)
        gap = pca.mean - ours[best].mean
        noise = ours[best].sd + pca.sd
        better, worse, cases = better + (gap > noise), worse + (gap < -noise), cases + 1
        closest = measured[best]["closest"].mean / real["closest"].mean
        copied += closest < _COPY
        texts.append(
            f"{data}: the best is {' + '.join(best)} with {ours[best]}, beside {pca} for PCA and "
            f"{real['frechet']} for real images, its closest 1 % of samples {closest:.2f} times as "
            "far from training images as those of real ones"
        )
    verdict = (
        f"Samples of an autoencoder have a smaller Fréchet distance to real images than those of "
        f"PCA by more than the seeds' noise in {better} of {cases} sets, a larger one in {worse}, "
        f"and are {'copies' if copied else 'no copies'} of training images ({'; '.join(texts)})."
    )
    return Findings(
        verdict=verdict,
        holds=False if copied or worse == cases else True if better == cases else None,
        tables=[
            Table(
                title="Samples by model and sampler",
                columns=(
                    "images",
                    "model",
                    "embeddings from",
                    "Fréchet distance",
                    "nearest image",
                    "beside real",
                    "closest 1 %",
                ),
                rows=rows,
                note="Fréchet distance between Gaussians fitted to the features of samples and of "
                "training images, in the embeddings of a fixed convolutional autoencoder; lower is "
                "better, and real images that were held out show how low it can be. 'Nearest "
                "image' is the distance to the nearest training image: median over samples, "
                "Euclidean over pixels in 0..1; 'beside real' divides it by that of held-out "
                "images, 'closest 1 %' does so with its 1 % quantile. Copies would be near 0; "
                "smooth images come closer than sharp ones.",
            )
        ],
        pictures=pictures.draw(records),
    )


def collect(records: list[Record]) -> dict[tuple[str, str], dict[str, Spread]]:
    """Return the spread of each measure by (model, sampler)."""
    measured: dict[tuple[str, str], dict[str, Spread]] = {}
    for (model,), runs in group(records, "model").items():
        for sampler in runs[0]["samplers"]:
            by = [record["samplers"][sampler] for record in runs]
            measured[model, sampler] = {
                name: spread(values(by, name)) for name in ("frechet", "nearest", "closest")
            }
    return measured


def _flat(X: Array) -> Array:
    return X.reshape(len(X), -1)


def _clip(X: Array, side: int) -> Array:
    clipped: Array = X.reshape(-1, side, side).clip(0.0, 1.0).astype(np.float32)
    return clipped


LAB = Lab(
    name="generation",
    title="Sampling",
    claim="Decoding new embeddings gives new samples: images that look like those of the training, "
    "and are none of them.",
    source="autoencoder lectures",
    protocol={
        "images": "20,000 training images of MNIST and of Fashion-MNIST, without labels",
        "models": "plain, variational, Wasserstein and adversarial autoencoder, dense 784-512-256-"
        "16-256-512-784, binary cross-entropy, 15 epochs; PCA with 16 components",
        "embeddings from": "the prior N(0, I); a Gaussian fitted to those of the training images; "
        "a mixture of Gaussians, as many as make held-out embeddings most probable",
        "features": "32 numbers of one convolutional autoencoder that is trained on the same "
        "images, the same for all models and seeds",
        "samples": "5,000 of each; real images beside them are of the test set",
        "seeds": "3",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist", "fashion-mnist"),
)
