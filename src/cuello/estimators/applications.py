"""Methods of a fitted autoencoder beyond encoding and decoding."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_consistent_length, check_random_state

from cuello.arrays import Array, Float32s, Floats
from cuello.errors import Argument, CuelloWarning, InputError, Text, unknown
from cuello.estimators.impute import fill_missing
from cuello.estimators.inputs import check_rows, check_shape, check_whole, mention_kinds
from cuello.estimators.network import TrainedNetwork
from cuello.estimators.projection import FLAT, fit_projector
from cuello.estimators.sample import ReferenceEmbeddings, draw_samples, linear, spherical
from cuello.kinds import KINDS
from cuello.options import Range
from cuello.seeding import seeded
from cuello.train import TrainingConfig

__all__ = ["Applications"]

_INTERPOLATIONS = ("auto", "linear", "spherical")
_AT_ONCE = 256  # likelihoods; the module decodes as many draws of them together as fit


class Applications(ABC):
    """Methods of :class:`cuello.Autoencoder` beyond encoding and decoding."""

    embedding_mean_: Float32s
    training_config_: TrainingConfig
    device: str

    @property
    @abstractmethod
    def trained_(self) -> TrainedNetwork:
        """Return the trained module and the scaling; refuse where nothing is fitted."""

    @abstractmethod
    def _check(self, X: Array) -> Array:
        """Return checked samples of the shape that ``fit`` saw."""

    def denoise(self, X: Array, *, masked: float = 0.0) -> Float32s:
        """Return each sample without its noise, in the data's own units.

        For models that learned it: of kind ``denoising`` (with the noise that is expected, or
        ``mixed`` if that is not known), or ``masked``. Others warn that they did not.

        Parameters
        ----------
        X : ndarray
            Noisy samples of the shape that ``fit`` saw.
        masked : float
            Share of the elements in [0, 1) that noise set to 0, where it is known. For a model that
            learned from masked samples, the other elements are divided by ``1 - masked``, as in its
            training. Leave it at 0 for one that learned from ``mixed`` noise.

        Examples
        --------
        >>> from cuello import Autoencoder
        >>> X = np.random.default_rng(0).normal(size=(100, 8))
        >>> Autoencoder("denoising", hidden=(8,), latent_dim=2, epochs=5).fit(X).denoise(X).shape
        (100, 8)
        """
        network, X = self.trained_, self._check(X)
        Range(0.0, 1.0, open_high=True).check("masked", masked)
        if not network.module.restores:
            able = " or ".join(repr(name) for name in sorted(KINDS) if KINDS[name].restores)
            text: Text = [
                Argument("kind", network.kind),
                " never saw a damaged sample, so its reconstructions may be little cleaner; fit "
                f"one of kind {able}.",
            ]
            warnings.warn(CuelloWarning(text), stacklevel=2)
        return network.reconstruct(X, factor=1.0 / (1.0 - masked))

    def sample(
        self,
        n: int,
        sampler: str = "auto",
        *,
        classes: Sequence[Any] | None = None,
        X: Array | None = None,
        y: npt.ArrayLike | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Float32s:
        """Return new samples like those of the training, in the data's own units.

        Parameters
        ----------
        n : int
            Number of samples.
        sampler : str
            Distribution of their embeddings. ``prior``: the distribution that a kind trains its
            embeddings to follow, N(0, I), for kinds that have one; of ``vector-quantised``, each
            group's vector as often as training used it. ``mixture``: Gaussians fitted to embeddings
            of real samples, as many as make held-out embeddings most probable. ``auto``: the
            mixture; without ``X``, in a model that was not trained here and so keeps no embeddings,
            the prior, if the kind has it.
        classes : sequence or None
            Classes of the new samples, in turn: sample i is of ``classes[i % len(classes)]``. A
            conditional kind gives its decoder the class; for the others a mixture is fitted to the
            samples of each class, which ``X`` and ``y`` must then give. None: any.
        X : ndarray or None
            Samples to whose embeddings the mixture is fitted; None: training samples.
        y : array-like of shape (n,) or None
            Their classes, -1 where unlabelled.
        random_state : int, RandomState or None
            The same whole number gives the same samples.

        Examples
        --------
        >>> from cuello import Autoencoder
        >>> X, y = np.random.default_rng(0).normal(size=(100, 8)), np.arange(100) % 3
        >>> model = Autoencoder("plain", hidden=(8,), latent_dim=2, epochs=5).fit(X)
        >>> model.sample(5).shape
        (5, 8)
        >>> zeros_and_twos = model.sample(4, "mixture", classes=[0, 2], X=X, y=y)
        """
        network = self.trained_
        if X is None:
            reference = ReferenceEmbeddings(getattr(self, "embeddings_", None))
        else:
            labels = None if y is None else np.asarray(y)
            reference = ReferenceEmbeddings(network.encode(self._check(X)), labels)
            check_consistent_length(reference.embeddings, labels)
        rng = check_random_state(random_state)
        return draw_samples(
            network, n, sampler=sampler, classes=classes, reference=reference, rng=rng
        )

    def interpolate(self, a: Array, b: Array, steps: int = 9, *, method: str = "auto") -> Float32s:
        """Return samples on the path from one sample to another, through embeddings.

        Parameters
        ----------
        a, b : ndarray
            One sample each. The path begins and ends with their reconstructions.
        steps : int
            Number of samples, at least 2.
        method : str
            ``linear``, a straight line between the embeddings; ``spherical``, an arc around 0, for
            embeddings that follow N(0, I); ``auto``: spherical for kinds with that prior, else
            linear.

        Returns
        -------
        ndarray of shape (steps, ...)

        Examples
        --------
        >>> from cuello import Autoencoder
        >>> X = np.random.default_rng(0).normal(size=(100, 8))
        >>> model = Autoencoder("plain", hidden=(8,), latent_dim=2, epochs=5).fit(X)
        >>> model.interpolate(X[0], X[1], steps=5).shape
        (5, 8)
        """
        network = self.trained_
        ends = [self._check(np.asarray(sample)[None])[0] for sample in (a, b)]
        if method not in _INTERPOLATIONS:
            raise unknown("method", method, _INTERPOLATIONS)
        steps = check_whole("steps", steps, least=2)  # both ends count
        if method == "auto":
            method = "spherical" if network.module.normal_prior else "linear"
        first, last = network.encode(np.stack(ends))
        path = (linear if method == "linear" else spherical)(first, last, steps)
        return network.decode_nearest(path.astype(np.float32))

    def impute(
        self,
        X: Array,
        draws: int = 1,
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> Float32s:
        """Return samples whose missing elements are filled; the others stay as they are.

        Samples are encoded and decoded, with the present elements put back each time, until
        nothing changes (20 times at most); the missing ones begin at those of the mean embedding.
        Kinds that learned to restore samples get them as in their training, and then once more,
        filled. With several draws, from kinds with a posterior, embedding and sample are drawn each
        time instead, and the draws show how certain the filling is.

        Parameters
        ----------
        X : ndarray
            Samples of the shape that ``fit`` saw, NaN where an element is missing.
        draws : int
            Number of fillings. From 2 on only for kinds such as ``variational``.
        random_state : int, RandomState or None
            The same whole number gives the same draws.

        Returns
        -------
        ndarray
            Of the shape of ``X``, or (draws, ...) from 2 on.

        Notes
        -----
        Source of the draws: Rezende, Mohamed and Wierstra, "Stochastic backpropagation and
        approximate inference in deep generative models", ICML 2014, appendix F. 20 sweeps pass
        before the first draw and 10 between draws. A Bernoulli's grey values are its means.

        Examples
        --------
        >>> from cuello import Autoencoder
        >>> X = np.random.default_rng(0).normal(size=(100, 8))
        >>> model = Autoencoder("plain", hidden=(8,), latent_dim=2, epochs=5).fit(X)
        >>> filled = model.impute(np.where(X > 1, np.nan, X))
        >>> bool(np.isfinite(filled).all())
        True
        """
        network = self.trained_
        if network.module.reconstruction.missing:
            raise InputError(
                "takes NaN for the end of a sample, so it cannot fill any",
                argument="network",
                value="sequence",
                remedy=["use samples of one length and ", Argument("network", "dense")],
            )
        samples = check_rows(self, X, reset=False, missing=True)
        check_shape(samples, network.shape)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return fill_missing(network, samples, draws, seed, mean=self.embedding_mean_)

    @torch.no_grad()
    def log_likelihood(self, X: Array, samples: int = 200) -> Floats:
        """Estimate the log-likelihood of each scaled sample, in nats, by importance sampling.

        Only for kinds with a likelihood, such as ``variational``. It is a density in units of the
        scaled data; more ``samples`` of the latents bring it up to its true value.
        """
        network, X = self.trained_, self._check(X)
        module: Any = network.module
        if not hasattr(module, "log_likelihood"):
            able = mention_kinds("log_likelihood")
            raise InputError(
                "gives samples no likelihood",
                argument="kind",
                value=network.kind,
                remedy=["use ", *able, ", or score_samples for reconstruction errors"],
            )
        samples = check_whole("samples", samples)
        out = np.empty(len(X))
        with seeded(self.training_config_.seed):
            for start in range(0, len(X), _AT_ONCE):
                x = network.scale(X[start : start + _AT_ONCE])
                out[start : start + _AT_ONCE] = module.log_likelihood(x, samples).numpy()
        return out

    def project(
        self, X: Array, *, random_state: int | np.random.RandomState | None = None
    ) -> Float32s:
        """Return two-dimensional coordinates of samples, (n, 2): near ones for near embeddings.

        Two latents are the coordinates. Of more, a projection is learned from the embeddings of
        these samples: an autoencoder of kind ``neighbour`` with 2 latents. To keep it, to project
        further samples or to lead back from coordinates, fit that one yourself, to the embeddings.
        One latent is returned as it is, (n, 1).

        Parameters
        ----------
        X : ndarray
            Samples of the shape that ``fit`` saw; 50 or more, if there are more than 2 latents.
        random_state : int, RandomState or None
            The same whole number gives the same projection.

        Examples
        --------
        >>> from cuello import Autoencoder
        >>> X = np.random.default_rng(0).normal(size=(100, 8))
        >>> model = Autoencoder(hidden=(8,), latent_dim=4, epochs=5).fit(X)
        >>> model.project(X, random_state=0).shape
        (100, 2)
        """
        embeddings = self.trained_.encode(self._check(X))
        if embeddings.shape[1] <= FLAT:
            return embeddings
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        autoencoder: Any = type(self)
        projector = fit_projector(autoencoder, embeddings, seed, device=self.device)
        coordinates: Float32s = projector.transform(embeddings)
        return coordinates
