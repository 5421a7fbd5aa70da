"""An estimator of anomalies: rows that an autoencoder, trained on usual ones, finds strange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello.anomalies.scores import SCORES, Seen, are_images
from cuello.anomalies.tails import Tail
from cuello.errors import InputError, unknown
from cuello.estimators import Autoencoder
from cuello.estimators.inputs import check_rows, check_shape
from cuello.metrics import Interval, accuracy_interval
from cuello.networks import NETWORKS

__all__ = ["COMBINED", "AnomalyDetector", "check_contamination"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

COMBINED = "combined"
OF_TABLES = ("reconstruction", "rows")
"""What it puts together for tables.

Areas under the ROC curve over the 11 ODDS tables, three splits: .884; with neighbours of codes as
well .878, with the nearest row .880; rows alone .893, which know nothing of what goes together.
"""
OF_IMAGES = ("reconstruction", "edges")
"""What it puts together for images.

Means of the areas under the curve for five classes of MNIST and six of Fashion-MNIST, on training
images that were held out: .956; reconstruction and the nearest row .914, with edges as well .954.
"""
OF_SEQUENCES = ("reconstruction", "nearest")
REFERENCE_ROWS = 5_000
"""Rows that others are compared with: of more a sample stands for all."""
_STEPS = 1500
_BATCH = 128
_WIDEST_CODE = 32


@final
class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Find the rows that are unlike the others, and say what about them is.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Cloned and trained on the rows that are not held out; None takes a denoising one, dense,
        of 64 and 32 units for tables and 512 and 128 for images, with a code of a quarter of the
        columns, up to 32, for 1,500 steps. Wrap a fitted one in
        :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    method : str
        ``combined``, or one of :data:`cuello.anomalies.SCORES`: ``reconstruction``;
        ``mahalanobis`` and ``neighbours`` of codes; ``rows`` and ``nearest`` of rows as they are;
        ``edges`` of images; ``likelihood``.
    false_positive_rate : float
        Share of usual rows, in (0, 1), that may be called anomalies.
    contamination : float or None
        Share of the rows of ``fit``, in (0, 0.5], that are anomalies: sets the threshold by them
        instead.
    held_out_fraction : float
        Share of the rows in (0, 1) that is neither trained on nor compared with, and shows how
        strange usual rows look; unless ``fit`` is given some.
    random_state : int, RandomState or None
        Which rows are held out, and the training, follow from it.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        Fitted.
    threshold_ : float
        From this ``anomaly_scores`` on a row is an anomaly.
    offset_ : float
        Minus that: scikit-learn's name and sign.
    false_positive_rate_ : Interval
        Share of the held-out rows that lie above the threshold, and the range that the share of
        all usual rows may well lie in (95 %, exact), if the held-out rows are usual.
    learned_ : dict
        What each score that the autoencoder has keeps of the training rows.
    tails_ : dict
        How strange held-out rows are by each of these scores, and by their combination.
    held_out_rows_ : int
        How many they are.

    Notes
    -----
    Scores are put together by the harmonic mean of the probabilities that a usual row is as
    strange: one small probability is enough, and scores may depend on each other (Wilson, "The
    harmonic mean p-value for combining dependent tests", PNAS 116, 2019). The mean is held against
    those of held-out rows, so that it is a probability again.

    Anomalies among the rows of ``fit`` are met by what is compared: the nearest 5 % of all rows,
    which a handful of like anomalies is not. Held-out rows should be usual: anomalies among them
    raise the threshold; give ``contamination`` then.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> usual = rng.normal(size=(500, 1)) + 0.1 * rng.normal(size=(500, 6))
    >>> detector = AnomalyDetector(false_positive_rate=0.05).fit(usual)
    >>> strange = usual[:2] + [0, 0, 0, 3, 0, 0]
    >>> detector.predict(strange).tolist()
    [-1, -1]
    >>> detector.contributions(strange).argmax(axis=1).tolist()
    [3, 3]
    """

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        method: str = "combined",
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
        """Train on rows, most of them usual.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            Three rows or more.
        y : object
            Not looked at.
        held_out : ndarray or None
            Usual rows that set the threshold, instead of a share of ``X``.

        Raises
        ------
        InputError
            If an option is outside its range, or the autoencoder has no such score; before
            training starts.
        """
        self._check_options()
        wanted = self.autoencoder
        X = check_rows(self, X, reset=True, **_reading(wanted))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rows, held_out = self._divide(X, held_out, seed)
        self.autoencoder_ = _default(rows, seed) if wanted is None else clone(wanted)
        self._check_score(self.autoencoder_, tuple(X.shape[1:]))
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            self.autoencoder_.fit(rows)
        self._learn(rows, held_out, seed)
        self._set_threshold(X)
        return self

    def learn(self, rows: Array, held_out: Array) -> Self:
        """Do all of ``fit`` but the training: ``autoencoder`` is fitted, and used as it is.

        Parameters
        ----------
        rows : ndarray of shape (n, ...)
            What it was trained on.
        held_out : ndarray of shape (m, ...)
            Usual rows that it was not trained on.

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
        self._learn(rows, held_out, int(check_random_state(self.random_state).randint(2**31 - 1)))
        self._set_threshold(
            None if self.contamination is None else np.concatenate([rows, held_out])
        )
        return self

    def use(self, *, method: str | None = None, false_positive_rate: float | None = None) -> Self:
        """Take another score, or allow another share of false alarms, and learn nothing anew.

        Raises
        ------
        InputError
            If either is outside its range, or the autoencoder has no such score.
        """
        check_is_fitted(self, "tails_")
        before = self.get_params(deep=False)
        self.method = self.method if method is None else method
        self.false_positive_rate = (
            self.false_positive_rate if false_positive_rate is None else false_positive_rate
        )
        self.contamination = None
        try:
            self._check_options()
            self._check_score(self.autoencoder_, self.autoencoder_.shape_)
        except InputError:
            self.set_params(**before)
            raise
        self._set_threshold(None)
        return self

    def anomaly_scores(self, X: Array) -> Floats:
        """Return how strange each row is, (n,), in powers of ten: of 2, one usual row in 100 is."""
        return self._surprise(self._see(X))

    def score_samples(self, X: Array) -> Floats:
        """Return minus :meth:`anomaly_scores`: higher is more usual, as scikit-learn has it."""
        return -self.anomaly_scores(X)

    def decision_function(self, X: Array) -> Floats:
        """Return how far each row is on the usual side of the threshold; below 0 it is not."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Array) -> npt.NDArray[np.int64]:
        """Return -1 for anomalies and 1 for usual rows."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def contributions(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the squared error of each scaled element, of the rows' own shape.

        Their mean over a row is its reconstruction error: what the autoencoder could not give back.
        """
        X = self._check(X)
        model = self.autoencoder_
        scaled = model.scaling_.apply(X)
        off: npt.NDArray[np.float32] = (scaled - model.scaling_.apply(model.reconstruct(X))) ** 2
        return off

    def parts(self, X: Array) -> dict[str, Floats]:
        """Return what each score and ``combined`` say of the rows, in powers of ten, (n,) each."""
        seen = self._see(X)
        own = {name: self._part(name, seen) for name in self.learned_}
        return {COMBINED: self.tails_[COMBINED].surprise(self._together(own)), **own}

    def _learn(self, rows: Array, held_out: Array, seed: int) -> None:
        if len(rows) > REFERENCE_ROWS:
            kept = np.random.default_rng(seed).permutation(len(rows))[:REFERENCE_ROWS]
            rows = rows[np.sort(kept)]
        seen, usual = Seen.by(self.autoencoder_, rows), Seen.by(self.autoencoder_, held_out)
        self.learned_: dict[str, Mapping[str, Array]] = {}
        self.tails_: dict[str, Tail] = {}
        own: dict[str, Floats] = {}
        for name, score in SCORES.items():
            if not score.why_not(self.autoencoder_, self.autoencoder_.shape_):
                self.learned_[name] = score.learn(seen, seed)
                scores = score(usual, self.learned_[name])
                self.tails_[name] = Tail.of(scores)
                own[name] = self.tails_[name].surprise(scores)
        self.held_out_rows_ = len(held_out)
        self.tails_[COMBINED] = Tail.of(self._together(own))

    def _set_threshold(self, X: Array | None) -> None:
        if self.contamination is None:
            self.threshold_ = float(-np.log10(self.false_positive_rate))
        else:
            assert X is not None
            self.threshold_ = float(np.quantile(self.anomaly_scores(X), 1.0 - self.contamination))
        self.offset_ = -self.threshold_
        tail = self.tails_[self.method]
        share = float((tail.surprise(tail.scores) > self.threshold_).mean())
        m = self.held_out_rows_
        self.false_positive_rate_: Interval = accuracy_interval(round(share * m), m, method="exact")

    @property
    def combined_(self) -> tuple[str, ...]:
        """The scores that ``combined`` puts together.

        Reconstruction, and a distance between rows, or between the edges of images.
        """
        model = self.autoencoder_
        if len(model.shape_) == 1:
            return OF_TABLES
        return OF_IMAGES if are_images(model, model.shape_) else OF_SEQUENCES

    def _part(self, name: str, seen: Seen) -> Floats:
        return self.tails_[name].surprise(SCORES[name](seen, self.learned_[name]))

    def _together(self, own: Mapping[str, Floats]) -> Floats:
        """Return minus the logarithm of the harmonic mean of probabilities: nats, as each score."""
        nats = np.log(10.0) * np.stack([own[name] for name in self.combined_])
        mean: Floats = logsumexp(nats, axis=0) - np.log(len(self.combined_))
        return mean

    def _surprise(self, seen: Seen) -> Floats:
        if self.method == COMBINED:
            own = {name: self._part(name, seen) for name in self.combined_}
            return self.tails_[COMBINED].surprise(self._together(own))
        return self._part(self.method, seen)

    def _see(self, X: Array) -> Seen:
        X = self._check(X)  # refuses where nothing is fitted
        return Seen.by(self.autoencoder_, X)

    def _check(self, X: Array) -> Array:
        check_is_fitted(self, "tails_")
        X = check_rows(self, X, reset=False, **_reading(self.autoencoder_))
        check_shape(X, self.autoencoder_.shape_)
        return X

    def _check_options(self) -> None:
        if self.method != COMBINED and self.method not in SCORES:
            raise unknown("method", self.method, (COMBINED, *SCORES))
        _check_share("false_positive_rate", self.false_positive_rate)
        _check_share("held_out_fraction", self.held_out_fraction)
        check_contamination(self.contamination)

    def _check_score(self, model: Autoencoder, shape: tuple[int, ...]) -> None:
        reason = "" if self.method == COMBINED else SCORES[self.method].why_not(model, shape)
        if reason:
            raise InputError(
                f"method={self.method!r} cannot be had: {reason}. Use method='combined'."
            )

    def _divide(self, X: Array, held_out: Array | None, seed: int) -> tuple[Array, Array]:
        if held_out is not None:
            held_out = check_rows(self, held_out, reset=False, **_reading(self.autoencoder))
            check_shape(held_out, tuple(X.shape[1:]))
            return X, held_out
        if len(X) < 3:
            raise InputError(f"X has {len(X)} rows; give 3 or more: one is held out.")
        order = np.random.default_rng(seed).permutation(len(X))
        count = min(max(round(self.held_out_fraction * len(X)), 1), len(X) - 2)
        return X[np.sort(order[count:])], X[np.sort(order[:count])]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def check_contamination(share: float | None) -> None:
    """Refuse what is no share of anomalies among rows.

    Raises
    ------
    InputError
        If it is outside (0, 0.5].
    """
    if share is not None and not 0.0 < share <= 0.5:
        raise InputError(
            f"contamination={share} must be the share of anomalies among the rows, above 0 and at "
            "most 0.5; None sets the threshold by false_positive_rate."
        )


def _check_share(name: str, share: float) -> None:
    if not 0.0 < share < 1.0:
        raise InputError(f"{name}={share} must be a share of the rows in (0, 1).")


def _reading(model: Autoencoder | None) -> dict[str, Any]:
    """How rows are checked for this autoencoder."""
    if model is None or not NETWORKS[model.network].is_sequence:
        return {}
    return {"sequences": True, "steps": getattr(model, "shape_", (None,))[0]}


def _default(X: Array, seed: int) -> Autoencoder:
    values, is_table = int(np.prod(X.shape[1:])), X.ndim == 2
    steps_an_epoch = max(len(X) / _BATCH, 1.0)
    return Autoencoder(
        "denoising",
        hidden=(64, 32) if is_table else (512, 128),
        latent_dim=min(max(values // 4, 1), _WIDEST_CODE),
        allow_overcomplete=values == 1,
        epochs=max(round(_STEPS / steps_an_epoch), 1),
        random_state=seed,
    )
