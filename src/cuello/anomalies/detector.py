"""An estimator that finds anomalies: samples unlike those that its autoencoder was trained on."""

from __future__ import annotations

from copy import copy
from typing import Self, final

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello.anomalies.base import SCORES, EncodedSamples
from cuello.anomalies.fitted import COMBINED, FittedScores
from cuello.arrays import Array, Float32s, Floats, Indices
from cuello.errors import InputError, Use, unknown
from cuello.estimators import Autoencoder
from cuello.estimators.inputs import check_rows, check_shape
from cuello.networks import NETWORKS
from cuello.options import Range

__all__ = ["CONTAMINATIONS", "AnomalyDetector"]

REFERENCE_SAMPLES = 5_000  # of the training, that others are compared with at most
_SHARES = Range(0.0, 1.0, open_low=True, open_high=True)
CONTAMINATIONS = Range(0.0, 0.5, open_low=True)
_STEPS = 1500
_DEFAULT_BATCH = 128
_WIDEST_EMBEDDING = 32
_SCORED_AT_ONCE = 2**22
"""Of samples that are scored together: 16 MiB."""


@final
class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Find samples that are unlike the others, and their anomalous columns or pixels.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Cloned and trained on the samples that are not held out; None takes a denoising one, dense,
        of 64 and 32 units for tables and 512 and 128 for images, with embeddings of a quarter of
        the columns, up to 32, for 1,500 steps. Wrap a fitted one in
        :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    method : str
        ``combined``, or one of :data:`cuello.anomalies.SCORES`.
    false_positive_rate : float
        Share of normal samples, in (0, 1), that may be called anomalies.
    contamination : float or None
        Share of anomalies in the samples of ``fit``, in (0, 0.5]: sets the threshold instead.
    held_out_fraction : float
        Share of the samples, in (0, 1), that shows the scores of normal ones, unless ``fit`` is
        given some; neither trained on nor compared with.
    random_state : int, RandomState or None
        Seed of the split and of the training.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        Fitted.
    threshold_ : float
        A sample of a higher ``anomaly_scores`` is an anomaly.
    offset_ : float
        Minus that: scikit-learn's name and sign.
    false_positive_rate_ : Interval
        Share of the held-out samples above the threshold, and its exact 95 % confidence interval
        for all normal samples, if the held-out ones are normal.
    scores_ : FittedScores
        All scores that the autoencoder has, learned from the samples it was trained on.

    Notes
    -----
    Anomalies among the samples of ``fit`` do little harm, as the nearest 5 % of all samples are
    compared, of which a handful of similar anomalies is a small part. Held-out samples should be
    normal: anomalies among them raise the threshold; give ``contamination`` then.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> normal = rng.normal(size=(500, 1)) + 0.1 * rng.normal(size=(500, 6))
    >>> detector = AnomalyDetector(false_positive_rate=0.05).fit(normal)
    >>> anomalous = normal[:2] + [0, 0, 0, 3, 0, 0]
    >>> detector.predict(anomalous).tolist()
    [-1, -1]
    >>> detector.contributions(anomalous).argmax(axis=1).tolist()
    [3, 3]
    """

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        method: str = COMBINED,
        false_positive_rate: float = 0.01,
        contamination: float | None = None,
        held_out_fraction: float = 0.2,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.method = method
        self.false_positive_rate = false_positive_rate
        self.contamination = contamination
        self.held_out_fraction = held_out_fraction
        self.random_state = random_state

    def fit(self, X: Array, y: object = None, *, held_out: Array | None = None) -> Self:
        """Train on samples, most of them normal.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            Three samples or more.
        y : object
            Ignored.
        held_out : ndarray or None
            Normal samples that set the threshold, instead of a share of ``X``.

        Raises
        ------
        InputError
            If an option is outside its range, or the autoencoder has no such score.
        """
        self._check_options()
        X = self._read(X, self.autoencoder, reset=True)
        seed = _draw_seed(self.random_state)
        train, held_out = self._split(X, held_out, seed)
        chosen = self.autoencoder
        self.autoencoder_ = _default(train, seed) if chosen is None else clone(chosen)
        self._check_score(self.autoencoder_, tuple(X.shape[1:]))
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            self.autoencoder_.fit(train)
        self._learn(train, held_out, seed)
        self._set_threshold(X)
        return self

    def learn(self, X: Array, held_out: Array) -> Self:
        """Do all of ``fit`` but the training: ``autoencoder`` is fitted, and used as it is.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
            Samples that it was trained on.
        held_out : ndarray of shape (m, ...)
            Normal samples that it was not trained on.

        Raises
        ------
        InputError
            If an option is outside its range, or the autoencoder has no such score.
        """
        self._check_options()
        assert self.autoencoder is not None
        self._check_score(self.autoencoder, self.autoencoder.shape_)
        self.autoencoder_ = self.autoencoder
        self.n_features_in_ = self.autoencoder_.n_features_in_
        self._learn(X, held_out, _draw_seed(self.random_state))
        self._set_threshold(None if self.contamination is None else np.concatenate([X, held_out]))
        return self

    def use(self, *, method: str | None = None, false_positive_rate: float | None = None) -> Self:
        """Choose another score or false positive rate; raise InputError as :meth:`fit` does."""
        check_is_fitted(self, "scores_")
        changed = {"method": method, "false_positive_rate": false_positive_rate}
        changed = {name: value for name, value in changed.items() if value is not None}
        candidate = copy(self).set_params(**changed, contamination=None)
        candidate._check_options()
        candidate._check_score(self.autoencoder_, self.autoencoder_.shape_)
        self.set_params(**changed, contamination=None)
        self._set_threshold(None)
        return self

    def anomaly_scores(self, X: Array) -> Floats:
        """Return the anomaly score of each sample, (n,): of 2, one normal sample in 100 has it."""
        return self._score(X, self.method)[self.method]

    def score_samples(self, X: Array) -> Floats:
        """Return minus :meth:`anomaly_scores`: higher is more normal, as scikit-learn has it."""
        return -self.anomaly_scores(X)

    def decision_function(self, X: Array) -> Floats:
        """Return the distance of each sample from the threshold; anomalies are below 0."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Array) -> Indices:
        """Return -1 for anomalies and 1 for normal samples."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def contributions(self, X: Array) -> Float32s:
        """Return the squared error of each scaled element, of the samples' own shape.

        Their mean over a sample is its reconstruction error.
        """
        X = self._check(X)
        model = self.autoencoder_
        contributions: Float32s = model.scaling_.apply(model.reconstruct(X))
        contributions -= model.scaling_.apply(X)
        return np.square(contributions, out=contributions)

    def single_scores(self, X: Array) -> dict[str, Floats]:
        """Return ``combined`` and each single score of the samples, (n,) each."""
        return self._score(X, None)

    def _learn(self, train: Array, held_out: Array, seed: int) -> None:
        if len(train) > REFERENCE_SAMPLES:
            kept = np.random.default_rng(seed).permutation(len(train))[:REFERENCE_SAMPLES]
            train = train[np.sort(kept)]
        reference, normal = (EncodedSamples(self.autoencoder_, X) for X in (train, held_out))
        self.scores_ = FittedScores.fit(reference, normal, seed)

    def _set_threshold(self, X: Array | None) -> None:
        if self.contamination is None:
            self.threshold_ = float(-np.log10(self.false_positive_rate))
        else:
            assert X is not None
            self.threshold_ = float(np.quantile(self.anomaly_scores(X), 1.0 - self.contamination))
        self.offset_ = -self.threshold_
        self.false_positive_rate_ = self.scores_.count_positives(self.method, self.threshold_)

    def _score(self, X: Array, method: str | None) -> dict[str, Floats]:
        """Return one score of samples, or all: a part at a time, each encoded once."""
        X = self._check(X)  # first, as it refuses where nothing is fitted
        size = max(_SCORED_AT_ONCE // max(X[0].size, 1), 1)
        parts = []
        for start in range(0, len(X), size):
            some = EncodedSamples(self.autoencoder_, X[start : start + size])
            one = method and {method: self.scores_.score(method, some)}
            parts.append(one or self.scores_.score_all(some))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _check(self, X: Array) -> Array:
        check_is_fitted(self, "scores_")
        X = self._read(X, self.autoencoder_, reset=False)
        check_shape(X, self.autoencoder_.shape_)
        return X

    def _read(self, X: Array, model: Autoencoder | None, *, reset: bool) -> Array:
        sequences = model is not None and NETWORKS[model.network_].is_sequence
        steps = getattr(model, "shape_", (None,))[0] if sequences else None
        return check_rows(self, X, reset=reset, sequences=sequences, steps=steps)

    def _check_options(self) -> None:
        if self.method != COMBINED and self.method not in SCORES:
            raise unknown("method", self.method, (COMBINED, *SCORES))
        _SHARES.check("false_positive_rate", self.false_positive_rate)
        _SHARES.check("held_out_fraction", self.held_out_fraction)
        if self.contamination is not None:
            CONTAMINATIONS.check("contamination", self.contamination)

    def _check_score(self, model: Autoencoder, shape: tuple[int, ...]) -> None:
        if self.method == COMBINED:
            return
        if obstacle := SCORES[self.method].find_obstacle(model, shape):
            raise InputError(
                obstacle, argument="method", value=self.method, remedy=Use("method", COMBINED)
            )

    def _split(self, X: Array, held_out: Array | None, seed: int) -> tuple[Array, Array]:
        """Return samples to train on and held-out ones."""
        if held_out is not None:
            held_out = self._read(held_out, self.autoencoder, reset=False)
            check_shape(held_out, tuple(X.shape[1:]))
            return X, held_out
        if len(X) < 3:
            raise InputError(f"has {len(X)} samples; give 3 or more", argument="X")
        order = np.random.default_rng(seed).permutation(len(X))
        count = min(max(round(self.held_out_fraction * len(X)), 1), len(X) - 2)
        return X[np.sort(order[count:])], X[np.sort(order[:count])]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _draw_seed(random_state: int | np.random.RandomState | None) -> int:
    return int(check_random_state(random_state).randint(2**31 - 1))


def _default(X: Array, seed: int) -> Autoencoder:
    values, is_table = int(np.prod(X.shape[1:])), X.ndim == 2
    steps_an_epoch = max(len(X) / _DEFAULT_BATCH, 1.0)
    return Autoencoder(
        "denoising",
        kind_options={"noise_share": 0.9, "noise_until": 1.0},
        linear_skip=False,
        hidden=(64, 32) if is_table else (512, 128),
        latent_dim=min(max(values // 4, 1), _WIDEST_EMBEDDING),
        allow_overcomplete=values == 1,
        epochs=max(round(_STEPS / steps_an_epoch), 1),
        random_state=seed,
    )
