"""The scikit-learn face of every kind of autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from cuello import kinds, networks
from cuello.data.augment import Augment
from cuello.data.scaling import Scaling
from cuello.errors import DivergedError, InputError, unknown
from cuello.metrics import row_errors
from cuello.train import Epoch, Rows, Training, Watcher, place, train

__all__ = ["Autoencoder"]

Array = npt.NDArray[Any]

NUMBERS = [np.float32, np.float64, np.uint8]
"""Types of input that are taken as they are; others become float32."""

_STEPS = 10_000
_INFERENCE_BATCH = 4096
_CODE_STATISTICS_ROWS = 10_000


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn a short code for every row, and how to get the row back from it.

    Parameters
    ----------
    kind : str
        ``plain`` or ``denoising``; see :data:`cuello.kinds.KINDS`.
    kind_options : dict or None
        The kind's own options, for example ``{"noise": "gaussian", "noise_level": 0.3}``.
    network : str
        ``dense``.
    hidden : sequence of int
        Widths of the hidden layers from the input to the code; the decoder mirrors them.
    latent_dim : int
        Length of the code; below the number of features unless ``allow_overcomplete``.
    activation, initializer : str
        Names in :data:`cuello.networks.ACTIVATIONS` and :data:`cuello.networks.INITIALIZERS`.
    batch_norm : bool
        Batch normalisation before each activation.
    dropout : float
        Rate in [0, 1) after each activation.
    loss : str
        ``mse``, ``mae``, ``huber``, ``mape``, ``bce``, or ``auto``: ``bce`` for data in 0..1 and
        ``mse`` otherwise.
    reduction : str
        ``mean`` over elements or ``sum`` over them.
    output_activation : str
        ``auto`` fits the range of the scaled data: sigmoid for 0..1, otherwise identity.
    optimizer, learning_rate, momentum, weight_decay, schedule, warm_up, patience, \
gradient_clip, device, precision
        See :class:`cuello.train.Training`.
    epochs : int or "auto"
        Passes over the training rows; ``auto`` is about 10,000 steps, in 20 to 300 passes.
    batch_size : int or "auto"
        Rows a step; ``auto`` is 128, or all rows if there are fewer.
    validation_fraction : float
        Share of the rows in [0, 1) that choose the best epoch, unless ``fit`` is given some.
    scaling : str
        ``auto``, ``none``, ``minmax``, ``symmetric`` or ``standard``; fitted on training rows only.
    augment : str or None
        Image augmentation, for example ``"shift=0.1,rotate=10"``; see
        :class:`cuello.data.augment.Augment`.
    allow_overcomplete : bool
        Allow a code as long as a row or longer.
    random_state : int, RandomState or None
        Weights, order of the rows, noise and dropout follow from it.

    Attributes
    ----------
    module_ : cuello.kinds.Autoencoder
        The trained network, on the CPU.
    scaling_ : Scaling
        Fitted on the training rows.
    training_ : Training
        What ``auto`` came to: epochs, rows a step, ...
    history_ : list of Epoch
        Losses of every epoch.
    shape_ : tuple of int
        Shape of one row.
    code_mean_, code_scale_ : ndarray of shape (latent_dim,)
        Mean and standard deviation of the codes of (up to 10,000) training rows.
    n_features_in_ : int
        Number of columns, for tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images
    >>> model = Autoencoder(kind="plain", hidden=(64,), latent_dim=8, epochs=20).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((1797, 8), (1797, 8, 8))
    """

    def __init__(
        self,
        kind: str = "denoising",
        *,
        kind_options: Mapping[str, Any] | None = None,
        network: str = "dense",
        hidden: Sequence[int] = (512, 256),
        latent_dim: int = 32,
        activation: str = "relu",
        initializer: str = "default",
        batch_norm: bool = False,
        dropout: float = 0.0,
        loss: str = "auto",
        reduction: str = "mean",
        output_activation: str = "auto",
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        warm_up: float = 0.0,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        patience: int | None = None,
        validation_fraction: float = 0.1,
        gradient_clip: float | None = None,
        scaling: str = "auto",
        augment: str | None = None,
        allow_overcomplete: bool = False,
        device: str = "auto",
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.kind = kind
        self.kind_options = kind_options
        self.network = network
        self.hidden = hidden
        self.latent_dim = latent_dim
        self.activation = activation
        self.initializer = initializer
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.loss = loss
        self.reduction = reduction
        self.output_activation = output_activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warm_up = warm_up
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.gradient_clip = gradient_clip
        self.scaling = scaling
        self.augment = augment
        self.allow_overcomplete = allow_overcomplete
        self.device = device
        self.precision = precision
        self.random_state = random_state

    def fit(
        self,
        X: Array,
        y: object = None,
        *,
        validation: Array | None = None,
        checkpoint: Path | None = None,
        watcher: Watcher | None = None,
    ) -> Self:
        """Train on rows without labels.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            Finite numbers; bytes are taken as 0..255.
        y : ignored
            For scikit-learn's pipelines.
        validation : ndarray or None
            Rows of the same shape that choose the best epoch, instead of a share of ``X``.
        checkpoint : Path or None
            Where to keep the state of the training, and continue from if the file exists.
        watcher : Watcher or None
            Called while training.

        Raises
        ------
        InputError
            If an option is outside its range or does not fit the data; before training starts.
        DivergedError
            If a loss became NaN. The estimator is fitted with the last good weights.
        """
        X, validation, how, augment = self._initialize(X, validation)
        rows = self._rows(X)
        self.history_: list[Epoch] = []
        try:
            self.history_ = train(
                self.module_,
                rows,
                how,
                validation=None if validation is None else self._rows(validation),
                augment=augment,
                checkpoint=checkpoint,
                watcher=watcher,
            )
        except DivergedError:
            self._measure_codes(rows)
            raise
        self._measure_codes(rows)
        return self

    def initialize(self, X: Array) -> Self:
        """Do all of ``fit`` but the training: check options and data, build an untrained network.

        Raises
        ------
        InputError
            If an option is outside its range or does not fit the data.

        Examples
        --------
        >>> model = Autoencoder(hidden=(4,), latent_dim=2).initialize(np.eye(12, 6))
        >>> sum(p.numel() for p in model.module_.parameters())
        80
        """
        self._initialize(X, None)
        self.code_mean_ = np.zeros(self.latent_dim, dtype=np.float32)
        self.code_scale_ = np.ones(self.latent_dim, dtype=np.float32)
        self.history_ = []
        return self

    def transform(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the code of each row, shape (n, latent_dim): deterministic."""
        X = self._check(X)
        return self._in_batches(X, lambda x: self.module_.encode(x), (self.latent_dim,))

    def inverse_transform(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the row of each code, one of the data's shape each, in its own units."""
        check_is_fitted(self, "module_")
        Z = np.asarray(X, dtype=np.float32)
        if Z.ndim != 2 or Z.shape[1] != self.latent_dim:
            raise InputError(
                f"codes have shape {Z.shape}; expected (n, {self.latent_dim}), as from transform."
            )
        with torch.no_grad():
            rows: npt.NDArray[np.float32] = self.module_.decode(torch.from_numpy(Z)).numpy()
        return self.scaling_.invert(rows)

    def reconstruct(self, X: Array) -> npt.NDArray[np.float32]:
        """Return each row after encoding and decoding, in the data's own units."""
        return self.scaling_.invert(self._reconstruct_scaled(self._check(X)))

    def score_samples(self, X: Array) -> npt.NDArray[np.float64]:
        """Return minus the mean squared error of each scaled row: higher is more usual."""
        X = self._check(X)
        return -row_errors(self.scaling_.apply(X), self._reconstruct_scaled(X))

    def score(self, X: Array, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    def build_module(self, seed: int) -> kinds.Autoencoder:
        """Return a new, untrained network for the data that ``fit`` saw."""
        if self.kind not in kinds.KINDS:
            raise unknown("kind", self.kind, kinds.KINDS)
        features = math.prod(self.shape_)
        if features == 1 and not self.allow_overcomplete:
            raise InputError("rows have 1 feature(s); a shorter code needs at least 2.")
        if self.latent_dim < 1 or (self.latent_dim >= features and not self.allow_overcomplete):
            raise InputError(
                f"latent_dim={self.latent_dim} must be at least 1 and below the number of features "
                f"({features}); pick 1..{features - 1}, or set allow_overcomplete=True."
            )
        low, high = self.scaling_.low, self.scaling_.high
        reconstruction = kinds.Reconstruction(
            loss=self.loss,
            output=self.output_activation,
            reduction=self.reduction,
            low=low,
            high=high if high > low else low + 1.0,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder, decoder = networks.build(
                self.network,
                self.shape_,
                self.latent_dim,
                kinds.KINDS[self.kind].code_width(self.latent_dim),
                hidden=tuple(self.hidden),
                activation=self.activation,
                initializer=self.initializer,
                batch_norm=self.batch_norm,
                dropout=self.dropout,
            )
            return kinds.build(
                self.kind, encoder, decoder, reconstruction, **(self.kind_options or {})
            )

    def _initialize(
        self, X: Array, validation: Array | None
    ) -> tuple[Array, Array | None, Training, Augment | None]:
        X = self._validate(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        X, validation = self._divide(X, validation, seed)
        how = self._training(len(X), seed)
        augment = None if self.augment is None else Augment.parse(self.augment)
        if augment is not None and len(self.shape_) < 2:
            raise InputError(
                f"augment={self.augment!r} moves pixels but a row has shape {self.shape_}; "
                "use augment=None for tables."
            )
        self.scaling_ = Scaling.fit(X, self.scaling)
        self.module_ = self.build_module(seed)
        place(how.device, how.precision, how.batch_size, self.module_)  # refuses unknown devices
        self._n_features_out = self.latent_dim
        self.training_ = how
        return X, validation, how, augment

    def _training(self, rows: int, seed: int) -> Training:
        batch_size = min(128, rows) if self.batch_size == "auto" else self.batch_size
        if not isinstance(batch_size, int | np.integer) or batch_size > rows:
            raise InputError(
                f"batch_size={batch_size!r} must be a number of rows up to the training rows "
                f"({rows}), or 'auto'."
            )
        if self.batch_norm and (rows < 2 or batch_size < 2):
            raise InputError(
                f"batch_norm=True needs batches of 2 rows or more; got {rows} training rows and "
                f"batch_size={batch_size}; set batch_norm=False."
            )
        epochs = self.epochs
        if epochs == "auto":
            epochs = min(max(math.ceil(_STEPS / math.ceil(rows / batch_size)), 20), 300)
        if not isinstance(epochs, int | np.integer):
            raise InputError(f"epochs={epochs!r} must be a whole number from 1 on, or 'auto'.")
        return Training(
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            warm_up=self.warm_up,
            epochs=int(epochs),
            batch_size=int(batch_size),
            patience=self.patience,
            gradient_clip=self.gradient_clip,
            device=self.device,
            precision=self.precision,
            seed=seed,
        )

    def _divide(self, X: Array, validation: Array | None, seed: int) -> tuple[Array, Array | None]:
        if validation is not None:
            return X, self._validate(validation, reset=False)
        if not 0.0 <= self.validation_fraction < 1.0:
            raise InputError(
                f"validation_fraction={self.validation_fraction} must be in [0, 1); 0 is none."
            )
        held_out = round(len(X) * self.validation_fraction)
        if held_out == 0:
            return X, None
        order = np.random.default_rng(seed).permutation(len(X))
        return X[order[held_out:]], X[order[:held_out]]

    def _check(self, X: Array) -> Array:
        check_is_fitted(self, "module_")
        return self._validate(X, reset=False)

    def _validate(self, X: Array, *, reset: bool) -> Array:
        X = validate_data(
            self,
            X,
            reset=reset,
            allow_nd=True,
            dtype=NUMBERS,
            ensure_min_samples=2 if reset else 1,
        )
        if reset:
            self.shape_ = tuple(X.shape[1:])
        elif tuple(X.shape[1:]) != self.shape_:
            raise InputError(
                f"X holds rows of shape {tuple(X.shape[1:])}; this model was trained on rows of "
                f"shape {self.shape_}."
            )
        return X

    def _rows(self, X: Array) -> Rows:
        return Rows(torch.from_numpy(self.scaling_.apply(X)))

    def _measure_codes(self, rows: Rows) -> None:
        with torch.no_grad():
            codes = self.module_.encode(rows.x[:_CODE_STATISTICS_ROWS]).numpy()
        self.code_mean_ = codes.mean(axis=0)
        self.code_scale_ = np.maximum(codes.std(axis=0), 1e-6)

    def _reconstruct_scaled(self, X: Array) -> npt.NDArray[np.float32]:
        return self._in_batches(
            X, lambda x: self.module_.decode(self.module_.encode(x)), self.shape_
        )

    @torch.no_grad()
    def _in_batches(
        self, X: Array, compute: Any, shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        out = np.empty((len(X), *shape), dtype=np.float32)
        for start in range(0, len(X), _INFERENCE_BATCH):
            x: Tensor = self._rows(X[start : start + _INFERENCE_BATCH]).x
            out[start : start + _INFERENCE_BATCH] = compute(x).numpy()
        return out

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
