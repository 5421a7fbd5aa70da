"""A classifier for many rows and few labels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello import networks
from cuello.data.augment import Augment
from cuello.data.dataset import UNLABELLED
from cuello.errors import CuelloWarning, InputError, unknown
from cuello.estimators.autoencoder import Autoencoder, in_batches
from cuello.estimators.head import EncoderWithHead
from cuello.estimators.inputs import check_rows, check_shape, class_codes, parse_augment
from cuello.train import Rows, Training, train

__all__ = ["MODES", "FewLabelClassifier", "Mode", "folds"]

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

_STEPS = 150


@dataclass(frozen=True)
class Mode:
    """A way to use the encoder: does it start from what it learned, and how fast does it move."""

    pretrained: bool
    encoder_lr_factor: float | None
    """The encoder's rate as a share of the head's; None: the estimator's option."""


MODES: dict[str, Mode] = {
    "scratch": Mode(pretrained=False, encoder_lr_factor=1.0),
    "frozen": Mode(pretrained=True, encoder_lr_factor=0.0),
    "slow": Mode(pretrained=True, encoder_lr_factor=None),
    "full": Mode(pretrained=True, encoder_lr_factor=1.0),
}

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""What a logistic regression on codes chooses from (scikit-learn's ``C``)."""


class FewLabelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify with the encoder of an autoencoder and a newly initialised head.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Cloned and trained on all rows, labelled or not; None takes the defaults. Wrap a fitted one
        in :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    mode : str
        ``frozen``: the encoder stays as it is and a logistic regression is fitted to its codes;
        ``slow``: the encoder learns at a share of the head's rate; ``full``: at the same rate;
        ``scratch``: the same network, newly initialised (what pre-training is compared with).
    encoder_lr_factor : float
        That share for ``slow``, in (0, 1].
    learning_rates : sequence of float
        Rates of the head to choose from, by cross-validation inside the labelled rows. For
        ``frozen`` the penalty of the logistic regression is chosen instead.
    cv : int
        Folds of that cross-validation, at least 2; fewer where a class has fewer labels.
    epochs : int or "auto"
        Passes over the labelled rows; ``auto`` is 150 steps, in 20 passes or more.
    batch_size : int
        Rows a step, or all labelled rows if there are fewer.
    weight_decay : float
        Decoupled weight decay (AdamW).
    augment : str or None
        Image augmentation while fine-tuning; see :class:`cuello.data.augment.Augment`.
    device, precision : str
        See :class:`cuello.train.Training`.
    random_state : int, RandomState or None
        New weights, folds and order of the rows follow from it.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted autoencoder.
    classes_ : ndarray
        Class labels, sorted.
    module_ : EncoderWithHead
        The trained network.
    cv_scores_ : dict of float to float
        Accuracy on held-out folds for each candidate; empty where nothing could be compared.
    cv_accuracy_ : float
        Accuracy on held-out folds of the chosen candidate; NaN where there were no folds.
    chosen_ : float
        The chosen learning rate, or inverse penalty for ``frozen``.

    Notes
    -----
    Rows labelled -1 have no label (scikit-learn's convention for semi-supervised estimators).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> y = np.full(1797, -1)
    >>> y[:100] = digits.target[:100]
    >>> model = FewLabelClassifier(Autoencoder(latent_dim=8, epochs=50), mode="slow")
    >>> accuracy = model.fit(digits.images, y).score(digits.images[100:], digits.target[100:])
    >>> accuracy > 0.7
    True
    """

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        mode: str = "slow",
        encoder_lr_factor: float = 0.1,
        learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03),
        cv: int = 3,
        epochs: int | str = "auto",
        batch_size: int = 64,
        weight_decay: float = 0.01,
        augment: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.mode = mode
        self.encoder_lr_factor = encoder_lr_factor
        self.learning_rates = learning_rates
        self.cv = cv
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.augment = augment
        self.device = device
        self.precision = precision
        self.random_state = random_state

    def fit(self, X: Array, y: npt.ArrayLike) -> Self:
        """Train the autoencoder on all rows, then the classifier on the labelled ones.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            All rows.
        y : array-like of shape (n,)
            Labels; -1 where a row has none.

        Raises
        ------
        InputError
            If an option is outside its range, or no row is labelled; before training starts.
        """
        wanted = Autoencoder() if self.autoencoder is None else self.autoencoder
        X = check_rows(self, X, reset=True, **_reading(wanted))
        self.classes_, codes = class_codes(X, y)
        mode = self._mode()
        parse_augment(self.augment, X.shape[1:], sequences=wanted.network in networks.SEQUENCES)
        labelled = codes != UNLABELLED
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._training(self.learning_rates[0], 1, seed)  # refuse a wrong option before training
        self.autoencoder_ = clone(wanted)
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            self.autoencoder_.fit(X, y)
        x = torch.from_numpy(self.autoencoder_.scaling_.apply(X[labelled]))
        self._fit_labelled(x, codes[labelled], mode, seed)
        return self

    def predict_proba(self, X: Array) -> npt.NDArray[np.float64]:
        """Return the probability of each class, shape (n, classes), rows summing to 1."""
        check_is_fitted(self, "module_")
        X = check_rows(self, X, reset=False, **_reading(self.autoencoder_))
        check_shape(X, self.autoencoder_.shape_)
        scaling = self.autoencoder_.scaling_
        scores = in_batches(
            len(X),
            lambda a, b: self.module_(torch.from_numpy(scaling.apply(X[a:b]))),
            (len(self.classes_),),
        )
        return torch.from_numpy(scores).double().softmax(1).numpy()

    def predict(self, X: Array) -> Array:
        """Return the most probable class of each row, shape (n,)."""
        probabilities = self.predict_proba(X)
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def _mode(self) -> Mode:
        if self.mode not in MODES:
            raise unknown("mode", self.mode, MODES)
        if not 0.0 < self.encoder_lr_factor <= 1.0:
            raise InputError(
                f"encoder_lr_factor={self.encoder_lr_factor} must be above 0 and at most 1; "
                "mode='frozen' keeps the encoder as it is."
            )
        if not len(self.learning_rates):
            raise InputError("learning_rates is empty; give one rate or more, such as (0.01,).")
        if self.cv < 2:
            raise InputError(f"cv={self.cv} must be at least 2 folds.")
        return MODES[self.mode]

    def _fit_labelled(self, x: Tensor, y: Labels, mode: Mode, seed: int) -> None:
        fit = self._fit_head if mode.encoder_lr_factor == 0.0 else self._fine_tune
        candidates = (
            INVERSE_PENALTIES if mode.encoder_lr_factor == 0.0 else tuple(self.learning_rates)
        )
        parts = folds(y, self.cv, seed)
        self.cv_scores_ = {
            candidate: float(
                np.mean(
                    [
                        _accuracy(fit(x[a], y[a], candidate, mode, seed), x[b], y[b])
                        for a, b in parts
                    ]
                )
            )
            for candidate in candidates
            if parts
        }
        # Without folds the middle candidate is as good a guess as any.
        self.chosen_ = max(
            self.cv_scores_,
            key=self.cv_scores_.__getitem__,
            default=candidates[len(candidates) // 2],
        )
        self.cv_accuracy_ = self.cv_scores_.get(self.chosen_, float("nan"))
        self.module_ = fit(x, y, self.chosen_, mode, seed)

    def build_module(self, mode: Mode, seed: int) -> EncoderWithHead:
        """Return the encoder, as the mode starts it, with a new head."""
        source = self.autoencoder_
        if mode.pretrained:
            body, mean, scale = source.module_, source.code_mean_, source.code_scale_
        else:
            body = source.build_module(seed)
            mean, scale = np.zeros_like(source.code_mean_), np.ones_like(source.code_scale_)
        factor = mode.encoder_lr_factor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return EncoderWithHead(
                body,
                len(self.classes_),
                mean,
                scale,
                encoder_lr_factor=self.encoder_lr_factor if factor is None else factor,
            )

    def _fine_tune(
        self, x: Tensor, y: Labels, rate: float, mode: Mode, seed: int
    ) -> EncoderWithHead:
        network = self.build_module(mode, seed)
        augment = None if self.augment is None else Augment.parse(self.augment)
        rows = Rows(x, torch.from_numpy(y))
        train(network, rows, self._training(rate, len(x), seed), augment=augment)
        return network

    def _fit_head(
        self, x: Tensor, y: Labels, inverse_penalty: float, mode: Mode, seed: int
    ) -> EncoderWithHead:
        """Fit the head alone: that is a logistic regression, so its exact solver does it."""
        network = self.build_module(mode, seed).eval()
        with torch.no_grad():
            codes = network.codes(x).numpy()
        regression = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(codes, y)
        weight, bias = regression.coef_, regression.intercept_
        if len(self.classes_) == 2:  # scikit-learn keeps the difference of the two scores
            weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(weight))
            network.head.bias.copy_(torch.from_numpy(bias))
        return network

    def _training(self, rate: float, rows: int, seed: int) -> Training:
        batch_size = min(self.batch_size, rows) if self.batch_size > 0 else self.batch_size
        epochs = self.epochs
        if epochs == "auto":
            epochs = max(math.ceil(_STEPS / math.ceil(rows / max(batch_size, 1))), 20)
        if not isinstance(epochs, int | np.integer):
            raise InputError(f"epochs={epochs!r} must be a whole number from 1 on, or 'auto'.")
        return Training(
            optimizer="adamw",
            learning_rate=rate,
            weight_decay=self.weight_decay,
            epochs=int(epochs),
            batch_size=batch_size,
            device=self.device,
            precision=self.precision,
            seed=seed,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _reading(autoencoder: Autoencoder) -> dict[str, Any]:
    """Return how rows for this autoencoder are read: as long as the longest it was trained on."""
    if autoencoder.network not in networks.SEQUENCES:
        return {}
    shape = getattr(autoencoder, "shape_", None)
    return {"sequences": True, "steps": shape and shape[0]}


def folds(y: Labels, cv: int, seed: int) -> list[tuple[Labels, Labels]]:
    """Return stratified folds as (train, held out); none, with a warning, if a class has one label.

    Examples
    --------
    >>> [len(held_out) for _, held_out in folds(np.array([0, 0, 0, 1, 1, 1]), 3, seed=0)]
    [2, 2, 2]
    """
    fewest = int(np.bincount(y).min())
    if fewest < 2:
        warnings.warn(
            "a class has a single label, so nothing can be held out to compare options: the "
            "middle one is taken, and no accuracy is estimated; label two rows of every class.",
            CuelloWarning,
            stacklevel=2,
        )
        return []
    split = StratifiedKFold(min(cv, fewest), shuffle=True, random_state=seed)
    return list(split.split(np.zeros(len(y)), y))


def _accuracy(network: EncoderWithHead, x: Tensor, y: Labels) -> float:
    with torch.no_grad():
        return float((network.eval()(x).argmax(1).numpy() == y).mean())
