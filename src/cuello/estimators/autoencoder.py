"""The scikit-learn face of every kind of autoencoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello import kinds, networks
from cuello.data.augment import Augment
from cuello.data.scaling import Scaling
from cuello.data.sequences import steps_of
from cuello.errors import CuelloWarning, DivergedError, InputError, unknown
from cuello.estimators.applications import Applications
from cuello.estimators.assemble import NetworkSource, assemble
from cuello.estimators.auto import resolve_training_config
from cuello.estimators.batches import in_batches
from cuello.estimators.inputs import (
    check_rows,
    check_shape,
    class_codes,
    parse_augment,
)
from cuello.estimators.likelihood import log_likelihood
from cuello.metrics import sample_errors
from cuello.train import Callbacks, Epoch, Rows, TrainingConfig, place, train

__all__ = ["Autoencoder"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

_EXAMINED_ROWS = 10_000
_DIAGNOSED_VALUES = 2_000_000  # diagnose() takes rows at once, and their stages are many times them


class Autoencoder(Applications, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn a short code for every row, and how to get the row back from it.

    Parameters
    ----------
    kind : str
        One of :data:`cuello.kinds.KINDS`; ``cuello kinds`` lists them.
    kind_options : dict or None
        The kind's own options, for example ``{"noise": "gaussian", "noise_level": 0.3}``.
    network : str
        One of :data:`cuello.networks.NETWORKS`.
    network_options : dict or None
        The network's own options, for example ``{"tied": True}`` for ``dense``.
    encoder, decoder : nn.Module, callable, str or None
        Your own networks instead of a named one: a module (its layers are initialised anew), a
        function or class that makes one, or where to import either, ``"package.module:name"``. The
        encoder maps rows to (B, length of the code), the decoder maps codes back to rows; only
        what can be imported by name can be kept in a run folder.
    hidden : sequence of int or None
        Widths from the input to the code; the decoder mirrors them. Units of dense layers, channels
        of convolutional ones, units of recurrent ones. None: the network's own default.
    latent_dim : int
        Length of the code; below the number of features unless ``allow_overcomplete``. Your own
        encoder decides it itself.
    activation : str
        One of :data:`cuello.networks.ACTIVATIONS`.
    initializer : str
        One of :data:`cuello.networks.INITIALIZERS`; ``auto`` is PyTorch's own, or ``he_uniform``
        where a sigmoid or tanh bounds the code.
    latent_activation : str
        After the last layer of the encoder; ``auto`` is what the kind needs, mostly identity.
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
    optimizer, learning_rate, momentum, weight_decay, schedule, warm_up, shuffle, patience, \
gradient_clip, device, precision
        See :class:`cuello.train.TrainingConfig`.
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
    module_ : cuello.kinds.AutoencoderModule
        The trained network, on the CPU.
    scaling_ : Scaling
        Fitted on the training rows.
    training_config_ : Training
        What ``auto`` came to: epochs, rows a step, ...
    history_ : sequence of Epoch
        Losses of every epoch.
    shape_ : tuple of int
        Shape of one row.
    latent_dim_ : int
        Length of the code.
    classes_ : ndarray
        Classes of the rows, for kinds that need them; otherwise empty.
    diagnosis_ : cuello.kinds.Diagnosis
        Statistics of the trained model on training rows (up to 10,000, and two million values),
        and what is wrong with it.
    embeddings_ : ndarray of shape (m, latent_dim)
        Codes of (up to 10,000) training rows. A run folder keeps those of all rows instead.
    embedding_mean_, embedding_scale_ : ndarray of shape (latent_dim,)
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
        network_options: Mapping[str, Any] | None = None,
        encoder: NetworkSource | None = None,
        decoder: NetworkSource | None = None,
        hidden: Sequence[int] | None = None,
        latent_dim: int = 32,
        activation: str = "relu",
        latent_activation: str = "auto",
        initializer: str = "auto",
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
        shuffle: str = "always",
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
        self.network_options = network_options
        self.encoder = encoder
        self.decoder = decoder
        self.hidden = hidden
        self.latent_dim = latent_dim
        self.activation = activation
        self.latent_activation = latent_activation
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
        self.shuffle = shuffle
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
        y: npt.ArrayLike | None = None,
        *,
        validation: Array | None = None,
        checkpoint: Path | None = None,
        callbacks: Callbacks | None = None,
    ) -> Self:
        """Train on rows without labels.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            Finite numbers; bytes are taken as 0..255. With ``network="sequence"``: of shape
            (n, time, features), NaN after the end of a short row, or a list of arrays (time,
            features) of any lengths.
        y : array-like of shape (n,) or None
            Classes of the rows, -1 where a row has none. Only kinds that need labels look at them.
        validation : ndarray or None
            Rows of the same shape that choose the best epoch, instead of a share of ``X``.
        checkpoint : Path or None
            Where to keep the state of the training, and continue from if the file exists.
        callbacks : Callbacks or None
            Called while training.

        Raises
        ------
        InputError
            If an option is outside its range or does not fit the data; before training starts.
        DivergedError
            If a loss became NaN. The estimator is fitted with the last good weights.
        """
        X, y_codes, validation, config, augment = self._initialize(X, y, validation)
        near = self.module_.neighbours, self.module_.compared
        rows = self._rows(X, y_codes).with_neighbours(*near)
        held_out = None if validation is None else self._rows(validation).with_neighbours(*near)
        self.history_: Sequence[Epoch] = []
        try:
            self.history_ = train(
                self.module_,
                rows,
                config,
                validation=held_out,
                augment=augment,
                checkpoint=checkpoint,
                callbacks=callbacks,
            )
        except DivergedError:
            self._examine(rows.x)
            raise
        self._examine(rows.x)
        return self

    def initialize(self, X: Array, y: npt.ArrayLike | None = None) -> Self:
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
        self._initialize(X, y, None)
        self.embedding_mean_ = np.zeros(self.latent_dim_, dtype=np.float32)
        self.embedding_scale_ = np.ones(self.latent_dim_, dtype=np.float32)
        self.history_ = []
        return self

    def transform(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the code of each row, shape (n, latent_dim): deterministic."""
        X = self._check(X)
        return self._apply(X, self.module_.encode, (self.latent_dim_,))

    def inverse_transform(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the row of each code, one of the data's shape each, in its own units.

        A code does not say how long a sequence was: all come at the length of the longest.
        """
        check_is_fitted(self, "module_")
        Z = np.asarray(X, dtype=np.float32)
        if Z.ndim != 2 or Z.shape[1] != self.latent_dim_:
            raise InputError(
                f"codes have shape {Z.shape}; expected (n, {self.latent_dim_}), as from transform."
            )
        rows = in_batches(len(Z), lambda a, b: self._decode(Z[a:b]), self.shape_)
        return self.scaling_.invert(rows)

    def reconstruct(self, X: Array) -> npt.NDArray[np.float32]:
        """Return each row after encoding and decoding, in the data's own units.

        Sequences come as an array filled up with NaN, each as long as it was given.
        """
        return self.scaling_.invert(self._reconstruct_scaled(self._check(X)))

    def score_samples(self, X: Array) -> npt.NDArray[np.float64]:
        """Return minus the mean squared error of each scaled row: higher is more usual."""
        X = self._check(X)
        return -sample_errors(self.scaling_.apply(X), self._reconstruct_scaled(X))

    def score(self, X: Array, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    def log_likelihood(self, X: Array, samples: int = 200) -> npt.NDArray[np.float64]:
        """Estimate the log-likelihood of each scaled row, in nats, by importance sampling.

        Only for kinds with a likelihood, such as ``variational``. It is a density in units of the
        scaled data; more ``samples`` of the latents bring it up to its true value.
        """
        return log_likelihood(self, self._check(X), samples)

    def build_module(self, seed: int) -> kinds.AutoencoderModule:
        """Return a new, untrained network for the data that ``fit`` saw."""
        return assemble(self, seed)

    def _initialize(
        self, X: Array, y: npt.ArrayLike | None, validation: Array | None
    ) -> tuple[Array, Codes | None, Array | None, TrainingConfig, Augment | None]:
        X = self._validate(X, reset=True)
        codes = self._classes_of(X, y)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        X, codes, validation = self._divide(X, codes, validation, seed)
        config = resolve_training_config(self, len(X), seed)
        augment = parse_augment(
            self.augment, self.shape_, sequences=self.network in networks.SEQUENCES
        )
        self.scaling_ = Scaling.fit(self._values(X), self.scaling)
        self.module_: kinds.AutoencoderModule = self.build_module(seed)
        self.latent_dim_: int = self.module_.latent_dim
        place(
            config.device, config.precision, config.batch_size, self.module_
        )  # refuses unknown devices
        self._n_features_out = self.latent_dim_
        self.training_config_ = config
        return X, codes, validation, config, augment

    def _classes_of(self, X: Array, y: npt.ArrayLike | None) -> Codes | None:
        self.classes_: Array = np.empty(0)
        if self.kind not in kinds.KINDS:
            raise unknown("kind", self.kind, kinds.KINDS)
        if not kinds.KINDS[self.kind].needs_labels:
            return None
        self.classes_, codes = class_codes(X, y)
        return codes

    def _divide(
        self, X: Array, codes: Codes | None, validation: Array | None, seed: int
    ) -> tuple[Array, Codes | None, Array | None]:
        if validation is not None:
            return X, codes, self._validate(validation, reset=False)
        if not 0.0 <= self.validation_fraction < 1.0:
            raise InputError(
                f"validation_fraction={self.validation_fraction} must be in [0, 1); 0 is none."
            )
        held_out = round(len(X) * self.validation_fraction)
        if held_out == 0:
            return X, codes, None
        order = np.random.default_rng(seed).permutation(len(X))
        kept = order[held_out:]
        return X[kept], None if codes is None else codes[kept], X[order[:held_out]]

    def _check(self, X: Array) -> Array:
        check_is_fitted(self, "module_")
        return self._validate(X, reset=False)

    def _validate(self, X: Array, *, reset: bool) -> Array:
        sequences = self.network in networks.SEQUENCES
        steps = self.shape_[0] if sequences and not reset else None
        X = check_rows(self, X, reset=reset, sequences=sequences, steps=steps)
        if reset:
            self.shape_: tuple[int, ...] = tuple(X.shape[1:])
        else:
            check_shape(X, self.shape_)
        return X

    def _values(self, X: Array) -> Array:
        """What the scaling is fitted on: of sequences, the steps that are there, as a table."""
        return steps_of(X) if self.network in networks.SEQUENCES else X

    def _rows(self, X: Array, codes: Codes | None = None) -> Rows:
        y = None if codes is None else torch.from_numpy(codes)
        return Rows(torch.from_numpy(self.scaling_.apply(X)), y)

    @torch.no_grad()
    def _examine(self, x: Tensor) -> None:
        x = x[:_EXAMINED_ROWS]
        codes = in_batches(len(x), lambda a, b: self.module_.encode(x[a:b]), (self.latent_dim_,))
        self.embeddings_ = codes[: max(256, _DIAGNOSED_VALUES // self.latent_dim_)]
        self.embedding_mean_ = codes.mean(axis=0)
        self.embedding_scale_ = np.maximum(codes.std(axis=0), 1e-6)
        self.diagnosis_ = self.module_.diagnose(x[: max(256, _DIAGNOSED_VALUES // x[0].numel())])
        for finding in self.diagnosis_.findings:
            warnings.warn(finding, CuelloWarning, stacklevel=3)

    def _decode(self, Z: npt.NDArray[np.float32]) -> Tensor:
        return self.module_.decode(torch.from_numpy(Z))

    def _reconstruct_scaled(self, X: Array, lift: float = 1.0) -> npt.NDArray[np.float32]:
        rows = self._apply(X, lambda x: self.module_.reconstruct(lift * x), self.shape_)
        if self.network in networks.SEQUENCES:
            rows[np.isnan(X)] = np.nan  # a short row stays as short as it is
        return rows

    def _apply(
        self, X: Array, compute: Callable[[Tensor], Tensor], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        return in_batches(len(X), lambda a, b: compute(self._rows(X[a:b]).x), shape)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
