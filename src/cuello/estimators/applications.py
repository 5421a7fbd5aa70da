"""What a fitted autoencoder can do with its decoder, each in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello.estimators.denoise import denoise
from cuello.estimators.sample import Known, sample

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["Applications"]

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.float32]


class Applications:
    """Methods of :class:`cuello.Autoencoder` that decode."""

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
        how: str = "auto",
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
            make held-out codes most probable. ``auto``: the prior where it is N(0, I), else the
            mixture.
        classes : sequence or None
            Classes of the new rows, in turn: row i is of ``classes[i % len(classes)]``. A kind that
            learned with classes tells its decoder; for the others ``how="mixture"`` fits a mixture
            to the rows of each class, which ``X`` and ``y`` must then give. None: any.
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
        codes = getattr(model, "codes_", None) if X is None else model.transform(X)
        labels = None if y is None else np.asarray(y)
        if labels is not None and codes is not None and X is not None:
            check_consistent_length(codes, labels)
        known = Known(codes, labels if X is not None else None)
        rng = check_random_state(random_state)
        return sample(model, n, how=how, classes=classes, known=known, rng=rng)
