"""A ladder network from many rows and few labels: rows and labels in one training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cuello.data.dataset import UNLABELLED
from cuello.errors import InputError
from cuello.kinds import Parts, Reconstruction
from cuello.kinds.ladder import Ladder
from cuello.networks import dense
from cuello.train import Callbacks, Rows, TrainingConfig, train

__all__ = ["build_ladder", "fit_ladder"]


def fit_ladder(
    x: Tensor,
    y: Tensor,
    classes: int,
    *,
    hidden: Sequence[int] = (1000, 500, 250, 250, 250),
    projected: bool = False,
    epochs: int = 40,
    batch_size: int = 250,
    labelled_batch_size: int = 100,
    learning_rate: float = 0.002,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    callbacks: Callbacks | None = None,
) -> Ladder:
    """Train a ladder network on all rows and the labels of some.

    Every step denoises ``batch_size`` rows and classifies ``labelled_batch_size`` labelled ones.
    The rate is constant for two thirds of the training and then falls to 0. In the end mean and
    variance of every layer are taken from all rows at once.

    Parameters
    ----------
    x : Tensor
        (n, ...), scaled rows; pixels in 0..1 in the paper.
    y : Tensor
        (n,) class codes, integers in 0..classes - 1, and -1 for rows without a label.
    classes : int
        How many, at least 2.
    hidden : sequence of int
        Units of each layer between rows and classes.
    projected : bool
        Whether each unit's weights are scaled to norm 1 before every step, and the layer of the
        classes has no denoising loss.
    epochs : int
        Passes over the rows, labelled or not. The paper has 150 with 100 rows a step.
    batch_size : int
        Rows a step to denoise, at least 2.
    labelled_batch_size : int
        Labelled rows a step, at least 2; all if there are fewer.
    learning_rate : float
        Of Adam.
    seed, device, precision
        See :class:`cuello.train.TrainingConfig`.
    callbacks : Callbacks or None
        Called while training.

    Returns
    -------
    Ladder
        On the CPU and in evaluation mode: ``network(rows)`` are class scores (B, classes).

    Raises
    ------
    InputError
        If rows, labels or options do not fit; before training starts.

    Notes
    -----
    Source: Rasmus, Valpola, Honkala, Berglund and Raiko, "Semi-supervised learning with ladder
    networks", NIPS (2015), arXiv:1507.02672: layers, noise, weights of the losses, optimizer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
    >>> few = torch.where(torch.arange(len(y)) < 100, y, -1)
    >>> network = fit_ladder(x, few, 10, hidden=(100, 50), epochs=40, batch_size=100)
    >>> correct = network(x[100:]).argmax(1) == y[100:]
    >>> correct.float().mean() > 0.8
    tensor(True)
    """
    _check(x, y, classes, hidden, batch_size, labelled_batch_size)
    config = TrainingConfig(
        optimizer="adam",
        learning_rate=learning_rate,
        schedule="constant_linear",
        epochs=epochs,
        batch_size=batch_size,
        device=device,
        precision=precision,
        seed=seed,
    )
    network = build_ladder(tuple(x.shape[1:]), classes, hidden, projected, seed)
    x, y = x.float().cpu(), y.long().cpu()  # the loop moves them, and the network back
    known = y != UNLABELLED
    few = Rows(x[known], y[known])
    rows = Rows(x, torch.full_like(y, UNLABELLED), labelled=few, draw=labelled_batch_size)
    train(network, rows, config, callbacks=callbacks)
    network.estimate_statistics(x)
    return network


def build_ladder(
    shape: tuple[int, ...], classes: int, hidden: Sequence[int], projected: bool, seed: int
) -> Ladder:
    """Return a ladder network with newly drawn weights, for rows of a shape.

    Examples
    --------
    >>> build_ladder((8, 8), 10, (20,), False, seed=0).eval()(torch.zeros(2, 8, 8)).shape
    torch.Size([2, 10])
    """
    *first, last = hidden
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = dense.build_dense(
            shape, last, last, hidden=first, latent_activation="relu"
        )
        for layer in (*encoder.modules(), *decoder.modules()):
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        parts = Parts(
            encoder=encoder,
            decoder=decoder,
            reconstruction=Reconstruction(
                loss="mse", output="identity", low=-math.inf, high=math.inf
            ),
            shape=shape,
            latent_dim=last,
            classes=classes,
        )
        return Ladder(parts, projected=projected)


def _check(
    x: Tensor, y: Tensor, classes: int, hidden: Sequence[int], rows: int, labelled: int
) -> None:
    if x.ndim < 2 or not x.is_floating_point() or not x.isfinite().all():
        raise InputError(
            f"x has shape {tuple(x.shape)} and type {x.dtype}; it must be (n, ...), finite numbers "
            "in floating point: scale the rows first."
        )
    if y.shape != x.shape[:1] or y.is_floating_point():
        raise InputError(
            f"y has shape {tuple(y.shape)} and type {y.dtype}; it must be ({len(x)},), one integer "
            "a row, -1 where it has no label."
        )
    if classes < 2:
        raise InputError(f"classes={classes} must be at least 2.")
    found = sorted(set(y.tolist()) - {UNLABELLED})
    if not found or found[0] < 0 or found[-1] >= classes:
        raise InputError(
            f"y has the labels {found}; with classes={classes} they must be in 0..{classes - 1}, "
            "at least one of them, and -1 where a row has no label."
        )
    for name, size in (("batch_size", rows), ("labelled_batch_size", labelled)):
        if size < 2:
            raise InputError(f"{name}={size} must be at least 2: one row has no variance.")
    if not hidden:
        raise InputError("hidden is empty; give the units of one layer or more, such as (250,).")
