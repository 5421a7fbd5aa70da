"""The scikit-learn estimator for every kind of autoencoder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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
from cuello.arrays import Array, Codes, Float32s, Floats
from cuello.data.augment import Augment
from cuello.data.scaling import Scaling
from cuello.data.sequences import steps_of
from cuello.errors import CuelloWarning, DivergedError
from cuello.estimators.applications import Applications
from cuello.estimators.assemble import Architecture, assemble, is_linear_start, start_linear
from cuello.estimators.inputs import check_rows, check_shape, class_codes, divide, parse_augment
from cuello.estimators.network import TrainedNetwork, at_most, examine_module
from cuello.estimators.options import RecordOptions, resolve_training_config
from cuello.train import Epoch, Rows, TrainingConfig, choose_placement, train
from cuello.train.callbacks import combine
from cuello.train.progress import EpochProgress, show_progress

__all__ = ["Autoencoder"]

_RECORD_OPTIONS = RecordOptions(Architecture, TrainingConfig)
_Prepared = tuple[Array, Codes | None, Array | None, Augment | None]


@_RECORD_OPTIONS
class Autoencoder(Applications, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn a short embedding of every sample, and how to get the sample back from it.

    Parameters
    ----------
    **options
    validation_fraction : float
        Share of the samples in [0, 1) that choose the best epoch, unless ``fit`` gets some.
    scaling : str
        ``auto``, ``none``, ``minmax``, ``symmetric`` or ``standard``; fitted on training samples.
    augment : str or None
        Image augmentation, for example ``"shift=0.1,rotate=10"``; see
        :class:`cuello.data.augment.Augment`.
    random_state : int, RandomState or None
        Seed of weights, order of the samples, noise and dropout.
    verbose : bool or "auto"
        Show epoch, losses and the time left; ``auto`` does in a terminal or notebook.

    Attributes
    ----------
    module_ : cuello.kinds.AutoencoderModule
        The trained network, on the CPU.
    scaling_ : Scaling
        Fitted on the training samples.
    training_config_ : TrainingConfig
        Options of the training, with ``auto`` resolved.
    history_ : sequence of Epoch
        Losses of every epoch.
    shape_ : tuple of int
        Shape of one sample.
    latent_dim_ : int
        Length of the embedding.
    classes_ : ndarray
        Classes of the samples, for kinds that need them; otherwise empty.
    diagnosis_ : cuello.kinds.Diagnosis
        Statistics and problems of the trained model, from training samples (up to 10,000, and two
        million elements).
    embeddings_ : ndarray of shape (m, latent_dim)
        Embeddings of (up to 10,000) training samples. A run folder keeps those of all instead.
    embedding_mean_, embedding_scale_ : ndarray of shape (latent_dim,)
        Mean and standard deviation of the embeddings of (up to 10,000) training samples.
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
        kind: str = "auto",
        *,
        validation_fraction: float = 0.1,
        scaling: str = "auto",
        augment: str | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | str = "auto",
        **options: Any,
    ) -> None:
        self.validation_fraction = validation_fraction
        self.scaling = scaling
        self.augment = augment
        self.random_state = random_state
        self.verbose = verbose
        self.__dict__.update(_RECORD_OPTIONS.complete({"kind": kind} | options))

    def fit(
        self,
        X: Array,
        y: npt.ArrayLike | None = None,
        *,
        validation: Array | None = None,
        checkpoint: Path | None = None,
        callbacks: object = None,
    ) -> Self:
        """Train on samples without labels.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            Finite numbers; bytes are taken as 0..255. With ``network="sequence"``: of shape
            (n, time, features), NaN after the end of a short sequence, or a list of arrays (time,
            features) of any lengths.
        y : array-like of shape (n,) or None
            Classes of the samples, -1 where unlabelled. Only kinds that need labels read them.
        validation : ndarray or None
            Samples of the same shape that choose the best epoch, instead of a share of ``X``.
        checkpoint : Path or None
            Where to keep the state of the training, and continue from if the file exists.
        callbacks : Callback, sequence of Callback, or None
            Called while training; see :class:`cuello.train.Callback`.

        Raises
        ------
        InputError
            If an option is outside its range or does not fit the data; before training starts.
        DivergedError
            If a loss became NaN. The estimator is fitted with the last good weights.
        """
        shown, is_divided = show_progress(self.verbose), validation is None
        X, codes, validation, augment = self._prepare(X, y, validation)
        near = self.module_.neighbours, self.module_.neighbour_features
        rows = self._rows(X, codes).with_neighbours(*near)
        held_out = None if validation is None else self._rows(validation).with_neighbours(*near)
        self.history_: Sequence[Epoch] = []
        callback = combine(callbacks).knowing(self.get_params() | {"latent_dim": self.latent_dim_})
        try:
            with EpochProgress(self.kind_, self.training_config_.epochs, visible=shown) as progress:
                self.history_ = train(
                    self.module_,
                    rows,
                    self.training_config_,
                    validation=held_out,
                    augment=augment,
                    checkpoint=checkpoint,
                    callbacks=[callback, progress],
                    keep_start=isinstance(self.module_.encoder, networks.LinearSkip),
                )
        except DivergedError:
            self._examine(rows.x)
            raise
        if is_divided and validation is not None and is_linear_start(self.module_):
            # No epoch was better, so nothing is left to choose by the samples that were held out.
            every, seed = np.concatenate([X, validation]), self.training_config_.seed
            start_linear(self.module_, self.scaling_, every, seed)
        self._examine(rows.x)
        return self

    def initialize(self, X: Array, y: npt.ArrayLike | None = None) -> Self:
        """Do all of ``fit`` but the training: check options and data, build an untrained network.

        Examples
        --------
        >>> model = Autoencoder(hidden=(4,), latent_dim=2).initialize(np.eye(12, 6))
        >>> sum(p.numel() for p in model.module_.parameters())
        112
        """
        self._prepare(X, y, None)
        self.embedding_mean_ = np.zeros(self.latent_dim_, dtype=np.float32)
        self.embedding_scale_ = np.ones(self.latent_dim_, dtype=np.float32)
        self.history_ = []
        return self

    def transform(self, X: Array) -> Float32s:
        """Return the embedding of each sample, shape (n, latent_dim): deterministic."""
        return self.trained_.encode(self._check(X))

    def inverse_transform(self, X: Array) -> Float32s:
        """Return the sample of each embedding, in the data's own units.

        An embedding does not tell how long a sequence was: all come at the longest's length.
        """
        return self.trained_.decode(np.asarray(X, dtype=np.float32))

    def reconstruct(self, X: Array) -> Float32s:
        """Return each sample after encoding and decoding, in the data's units; NaN stays NaN."""
        return self.trained_.reconstruct(self._check(X))

    def score_samples(self, X: Array) -> Floats:
        """Return minus the mean squared error of each scaled sample: higher is more normal."""
        return -self.trained_.errors(self._check(X))

    def score(self, X: Array, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    @property
    def trained_(self) -> TrainedNetwork:
        """Return the trained module with its scaling, which all applications take."""
        check_is_fitted(self, "module_")
        return TrainedNetwork(self.module_, self.scaling_, self.shape_, self.kind_, self.classes_)

    @property
    def architecture_(self) -> Architecture:
        """Return the options that decide the network."""
        chosen = {"kind": self.kind_, "network": self.network_}
        return Architecture(**{n: getattr(self, n) for n in Architecture.__annotations__} | chosen)

    @property
    def kind_(self) -> str:
        """Return the kind; for ``auto``, that which suits the samples that ``fit`` has seen."""
        return kinds.choose_kind(self.kind, getattr(self, "shape_", None), self.kind_options)

    @property
    def network_(self) -> str:
        """Return the network; for ``auto``, that which suits the samples that ``fit`` has seen."""
        own = self.hidden is not None or bool(self.network_options)
        return networks.choose_network(self.network, getattr(self, "shape_", None), own_layers=own)

    def build_module(self, seed: int) -> kinds.AutoencoderModule:
        """Return a new, untrained network for the data that ``fit`` saw."""
        classes = len(self.classes_)
        return assemble(self.architecture_, self.shape_, classes, self.scaling_, seed)

    def _prepare(self, X: Array, y: npt.ArrayLike | None, validation: Array | None) -> _Prepared:
        """Set all learned attributes that need no training.

        Return training samples, their classes, held-out samples, and the augmentation.
        """
        X = self._validate(X, reset=True)
        kinds.KINDS.resolve(self.kind_)
        self.classes_: Array = np.empty(0)
        codes: Codes | None = None
        if kinds.KINDS[self.kind_].needs_labels:
            self.classes_, codes = class_codes(X, y)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if validation is None:
            X, codes, validation = divide(X, codes, self.validation_fraction, seed)
        else:
            validation = self._validate(validation, reset=False)
        config = resolve_training_config(self, len(X), X[0].size, seed)
        sequences = networks.NETWORKS[self.network_].is_sequence
        augment = parse_augment(self.augment, self.shape_, sequences=sequences)
        self.scaling_ = Scaling.fit(steps_of(X) if sequences else X, self.scaling)
        self.module_: kinds.AutoencoderModule = self.build_module(seed)
        self.latent_dim_: int = self.module_.latent_dim
        start_linear(self.module_, self.scaling_, X, seed)
        # Refuses devices that are not there.
        choose_placement(config.device, config.precision, config.batch_size, self.module_)
        self._n_features_out = self.latent_dim_
        self.training_config_ = config
        return X, codes, validation, augment

    def _check(self, X: Array) -> Array:
        check_is_fitted(self, "module_")
        return self._validate(X, reset=False)

    def _validate(self, X: Array, *, reset: bool) -> Array:
        sequences = networks.NETWORKS[self.network_].is_sequence
        steps = self.shape_[0] if sequences and not reset else None
        X = check_rows(self, X, reset=reset, sequences=sequences, steps=steps)
        if reset:
            self.shape_: tuple[int, ...] = tuple(X.shape[1:])
        else:
            check_shape(X, self.shape_)
        return X

    def _rows(self, X: Array, codes: Codes | None = None) -> Rows:
        x = torch.from_numpy(self.scaling_.apply(X))
        return Rows(x, None if codes is None else torch.from_numpy(codes))

    def _examine(self, x: Tensor) -> None:
        """Describe embeddings of scaled training samples, and diagnose the module."""
        rate = self.training_config_.learning_rate
        embeddings, self.diagnosis_ = examine_module(self.module_, x, rate)
        self.embeddings_ = at_most(embeddings, self.latent_dim_)
        self.embedding_mean_ = embeddings.mean(axis=0)
        self.embedding_scale_ = np.maximum(embeddings.std(axis=0), 1e-6)
        for finding in self.diagnosis_.findings:
            warnings.warn(finding, CuelloWarning, stacklevel=3)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
