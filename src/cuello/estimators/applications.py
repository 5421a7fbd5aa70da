"""What a fitted autoencoder can do with its decoder, each in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from cuello.estimators.denoise import denoise

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
