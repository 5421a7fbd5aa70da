"""Codes of any length in a plane: the latents themselves, or the principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Plane", "fit_plane"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Plane:
    """An affine plane among the codes: code = centre + x axes[0] + y axes[1]."""

    centre: Floats
    """(latents,)."""
    axes: Floats
    """(2, latents), orthonormal; (1, latents) where a code is one number."""
    titles: tuple[str, ...]
    """What the axes are, one each."""

    def place(self, codes: npt.NDArray[np.float32]) -> Floats:
        """Return where codes lie on the plane, (n, 2) or (n, 1)."""
        return np.asarray((codes - self.centre) @ self.axes.T)


def fit_plane(codes: npt.NDArray[np.float32]) -> Plane:
    """Return the plane in which codes are shown.

    One latent makes a strip and two are shown as they are. Of more, the plane is that of the
    largest variance: the first two principal components (Pearson, 1901), each turned so that its
    largest entry is positive.

    Parameters
    ----------
    codes : ndarray of shape (n, latents)
        One row or more.

    Examples
    --------
    >>> codes = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]], dtype=np.float32)
    >>> fit_plane(codes).titles[0]
    'first principal component of the codes (80 %)'
    >>> fit_plane(codes).place(codes)[1].tolist()
    [1.0, -0.5]
    """
    latents = codes.shape[1]
    if latents <= 2:
        titles = tuple(f"latent {k + 1}" for k in range(latents))
        return Plane(centre=np.zeros(latents), axes=np.eye(latents), titles=titles)
    exact = codes.astype(np.float64)
    centre = exact.mean(axis=0)
    variance, vectors = np.linalg.eigh((exact - centre).T @ (exact - centre))
    axes = vectors.T[::-1][:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]
    share = 100 * variance[::-1][:2] / max(float(variance.sum()), 1e-12)
    titles = tuple(
        f"{which} principal component of the codes ({part:.0f} %)"
        for which, part in zip(("first", "second"), share, strict=True)
    )
    return Plane(centre=centre, axes=axes, titles=titles)
