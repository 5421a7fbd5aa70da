"""What a trained autoencoder is good for, shown on a few rows that the report draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cuello.data.neighbours import neighbours
from cuello.data.noise import Noise
from cuello.estimators import Autoencoder
from cuello.estimators.sample import ReferenceEmbeddings, draw_samples
from cuello.kinds import KINDS
from cuello.metrics import sample_errors
from cuello.networks import NETWORKS
from cuello.run.prepare import Prepared

__all__ = ["uses"]

Array = npt.NDArray[Any]

NOISE = 0.3
"""Standard deviation, in shares of the range of the training rows, or of a column's spread."""
_SHOWN = 12
_CODES = 2_000


def uses(
    model: Autoencoder,
    strangeness: npt.NDArray[np.float64] | None,
    prepared: Prepared,
    seed: int,
) -> dict[str, Array]:
    """Return the strangest test rows, rows that noise was taken from, and new rows, by name.

    ``strangeness`` (n,) is that of the test rows, None where no detector has learned. Only kinds
    that learned to restore rows clean them, and none of it but anomalies is shown of sequences.
    """
    found: dict[str, Array] = {}
    test = prepared.test[0]
    if strangeness is not None:
        rows = np.argsort(-strangeness, kind="stable")[:_SHOWN]
        found |= {
            "strange_rows": rows,
            "strange_original": test[rows],
            "strange_model": model.reconstruct(test[rows]),
            "strange_scores": strangeness[rows],
        }
    if NETWORKS[model.network].is_sequence:
        return found
    if KINDS[model.kind].restores and len(test):
        found |= _cleaned(model, test, seed)
    return found | _new(model, prepared.train, seed)


def _cleaned(model: Autoencoder, test: Array, seed: int) -> dict[str, Array]:
    """Damage rows as the kind learned to mend them, or else by Gaussian noise."""
    rows = np.random.default_rng(seed).permutation(len(test))[:_SHOWN]
    scaling = model.scaling_
    scaled = torch.from_numpy(scaling.apply(test[rows]))
    spread = 1.0 if scaling.name == "standard" else max(scaling.high - scaling.low, 1e-12)
    noise = getattr(model.module_, "noise", None) or Noise("gaussian", NOISE * spread)
    noisy = replace(noise, share=1.0)(scaled, torch.Generator().manual_seed(seed)).numpy()
    clean = model.denoise(scaling.invert(noisy))
    return {
        "cleaned_rows": rows,
        "cleaned_original": test[rows],
        "cleaned_noisy": scaling.invert(noisy),
        "cleaned_model": clean,
        "cleaned_before": sample_errors(scaled.numpy(), noisy),
        "cleaned_after": sample_errors(scaled.numpy(), scaling.apply(clean)),
    }


def _new(model: Autoencoder, train: Array, seed: int) -> dict[str, Array]:
    rng = np.random.RandomState(seed)
    known = train[np.sort(rng.permutation(len(train))[:_CODES])]
    codes = ReferenceEmbeddings(model.transform(known))
    new = draw_samples(
        model.trained_, _SHOWN, sampler="auto", classes=None, reference=codes, rng=rng
    )
    scaled, there = (
        torch.from_numpy(np.nan_to_num(model.scaling_.apply(rows).reshape(len(rows), -1)))
        for rows in (new, train)
    )
    nearest = neighbours(scaled, there, 1)[0][:, 0]
    return {
        "new_rows": nearest,
        "new_original": new,
        "new_nearest": train[nearest],
        "new_distance": np.sqrt(sample_errors(scaled.numpy(), there.numpy()[nearest])),
    }
