"""What a fitted autoencoder is good for, each in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello.errors import InputError
from cuello.estimators.denoise import denoise
from cuello.estimators.impute import impute
from cuello.estimators.inputs import check_rows, check_shape
from cuello.estimators.interpolate import interpolate
from cuello.estimators.projection import reduce
from cuello.estimators.sample import ReferenceEmbeddings, sample
from cuello.networks import SEQUENCES

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["Applications"]

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.float32]


class Applications:
    """Methods of :class:`cuello.Autoencoder` beyond encoding and decoding."""

    def denoise(self, X: Array, *, masked: float = 0.0) -> Rows:
        """Return each row without its noise, in the data's own units.

        For models that learned it: of kind ``denoising`` (with the noise that is expected, or
        ``mixed`` if that is not known), or ``masked``. Others warn that they did not.

        Parameters
        ----------
        X : ndarray
            Noisy rows of the shape that ``fit`` saw.
        masked : float
            Share of the elements in [0, 1) that noise set to 0, if known. A model that learned from
            masked rows is then given what is left divided by ``1 - masked``, as in its training.
            Leave it at 0 for one that learned from ``mixed`` noise.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cuello import Autoencoder
        >>> X = load_digits().images
        >>> options = {"noise": "gaussian", "noise_level": 0.3, "noise_share": 1.0}
        >>> model = Autoencoder(kind_options=options, hidden=(128,), epochs=40).fit(X[:1500])
        >>> noisy = X + np.random.default_rng(0).normal(scale=0.3 * 16, size=X.shape)
        >>> before, after = (np.mean((Y - X) ** 2) for Y in (noisy, model.denoise(noisy)))
        >>> bool(after < 0.5 * before)
        True
        """
        model = cast("Autoencoder", self)
        return denoise(model, model._check(X), masked)

    def sample(
        self,
        n: int,
        sampler: str = "auto",
        *,
        classes: Sequence[Any] | None = None,
        X: Array | None = None,
        y: npt.ArrayLike | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Rows:
        """Return new rows like those of the training, in the data's own units.

        Parameters
        ----------
        n : int
            How many.
        how : str
            Where their codes come from. ``prior``: the law that codes were made to follow, N(0, I),
            for kinds that have one; of ``vector-quantised``, each group's vector as often as
            training used it. ``mixture``: Gaussians fitted to codes of real rows, as many as
            make held-out codes most probable. ``auto``: the mixture; without ``X``, in a model that
            was not trained here and so keeps no codes, the prior N(0, I), if the kind has it.
        classes : sequence or None
            Classes of the new rows, in turn: row i is of ``classes[i % len(classes)]``. A kind that
            learned with classes tells its decoder; for the others a mixture is fitted to the rows
            of each class, which ``X`` and ``y`` must then give. None: any.
        X : ndarray or None
            Rows to whose codes the mixture is fitted; None: training rows.
        y : array-like of shape (n,) or None
            Their classes, -1 where unknown.
        random_state : int, RandomState or None
            The same whole number gives the same rows.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cuello import Autoencoder
        >>> X, y = load_digits(return_X_y=True)
        >>> model = Autoencoder("plain", hidden=(64,), latent_dim=8, epochs=30).fit(X)
        >>> model.sample(5).shape
        (5, 64)
        >>> ones_and_sevens = model.sample(4, "mixture", classes=[1, 7], X=X, y=y)
        """
        model = cast("Autoencoder", self)
        check_is_fitted(model, "module_")
        codes = getattr(model, "embeddings_", None) if X is None else model.transform(X)
        labels = None if y is None else np.asarray(y)
        if labels is not None and codes is not None and X is not None:
            check_consistent_length(codes, labels)
        known = ReferenceEmbeddings(codes, labels if X is not None else None)
        rng = check_random_state(random_state)
        return sample(model, n, sampler=sampler, classes=classes, known=known, rng=rng)

    def interpolate(self, a: Array, b: Array, steps: int = 9, *, sampler: str = "auto") -> Rows:
        """Return rows on the way from one row to another through the codes, (steps, ...).

        Parameters
        ----------
        a, b : ndarray
            One row each. The first and last of the way are their reconstructions.
        steps : int
            How many rows, at least 2.
        how : str
            ``linear``, a straight line between the codes; ``spherical``, an arc around 0, where
            codes follow N(0, I); ``auto``: spherical for kinds whose codes do, else linear.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cuello import Autoencoder
        >>> X = load_digits().images
        >>> model = Autoencoder("plain", hidden=(64,), latent_dim=8, epochs=20).fit(X)
        >>> model.interpolate(X[0], X[1], steps=5).shape
        (5, 8, 8)
        """
        model = cast("Autoencoder", self)
        check_is_fitted(model, "module_")
        first, last = (model._check(np.asarray(row)[None])[0] for row in (a, b))
        return interpolate(model, first, last, steps, sampler)

    def impute(
        self,
        X: Array,
        draws: int = 1,
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> Rows:
        """Return rows whose missing elements are filled; the others stay as they are.

        Rows are encoded and decoded, with the elements that are known put back each time, until
        nothing changes (20 times at most); the missing ones begin at those of the mean code. Kinds
        that learned to restore rows get them as in their training, and then once more, filled.
        With several draws, from kinds with a
        posterior, code and row are drawn each time instead, and the draws show how sure the
        filling is.

        Parameters
        ----------
        X : ndarray
            Rows of the shape that ``fit`` saw, NaN where an element is missing.
        draws : int
            How many fillings. From 2 on only for kinds such as ``variational``.
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
        >>> from sklearn.datasets import load_digits
        >>> from cuello import Autoencoder
        >>> X = load_digits().images
        >>> hiding = {"noise": "masking", "noise_level": 0.5, "noise_share": 1.0}
        >>> model = Autoencoder(kind_options=hiding, hidden=(256,), epochs=80).fit(X[:1500])
        >>> holed = X[1500:].copy()
        >>> missing = np.random.default_rng(0).random(holed.shape) < 0.5
        >>> holed[missing] = np.nan
        >>> filled = model.impute(holed)
        >>> mean = np.broadcast_to(X[:1500].mean(axis=0), holed.shape)
        >>> errors = [np.mean((Y - X[1500:])[missing] ** 2) for Y in (mean, filled)]
        >>> bool(errors[1] < 0.7 * errors[0])
        True
        """
        model = cast("Autoencoder", self)
        check_is_fitted(model, "module_")
        if model.network in SEQUENCES:
            raise InputError(
                "network='sequence' takes NaN for the end of a row, so it cannot fill any; use "
                "rows of one length and network='dense'."
            )
        rows = check_rows(model, X, reset=False, holes=True)
        check_shape(rows, model.shape_)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return impute(model, rows, draws, seed)

    def reduce(self, X: Array, *, random_state: int | np.random.RandomState | None = None) -> Rows:
        """Return a place in the plane for each row, (n, 2), near ones for rows with near codes.

        Two latents are the place. Of more, a map is learned from the codes of these rows: an
        autoencoder of kind ``neighbour`` with 2 latents. To keep the map, to place further rows on
        it or to lead back from places, fit that one yourself, to the codes. One latent is returned
        as it is, (n, 1).

        Parameters
        ----------
        X : ndarray
            Rows of the shape that ``fit`` saw; 50 or more, if there are more than 2 latents.
        random_state : int, RandomState or None
            The same whole number gives the same map.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cuello import Autoencoder
        >>> from cuello.metrics import projection_quality
        >>> X, y = load_digits(return_X_y=True)
        >>> model = Autoencoder(hidden=(64,), latent_dim=16, epochs=60, random_state=0).fit(X)
        >>> projection_quality(X, model.reduce(X, random_state=0), y).knn_accuracy > 0.8
        True
        """
        model = cast("Autoencoder", self)
        check_is_fitted(model, "module_")
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return reduce(model, model._check(X), seed)
