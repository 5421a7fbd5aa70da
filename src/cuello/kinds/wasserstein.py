"""The Wasserstein autoencoder: codes follow the prior because their MMD to draws from it is small.

Shapes: B rows of a batch, n draws of one law, m of another, K latents.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor

from cuello.errors import InputError, unknown
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, Parts, register
from cuello.kinds.prior import compare, draw_like, wide

__all__ = ["KERNELS", "Wasserstein", "mmd"]

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_EXAMINED = 1000  # pairs of codes grow with the square

# (squared distances, width C) -> similarities in (0, 1]
KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "imq": lambda squares, width: width / (width + squares),
    "rbf": lambda squares, width: torch.exp(-squares / width),
}


def mmd(x: Tensor, y: Tensor, kernel: str = "imq") -> Tensor:
    """Estimate the squared maximum mean discrepancy of two laws from draws of each.

    Parameters
    ----------
    x, y : Tensor
        (n, K) and (m, K) draws.
    kernel : str
        ``imq``, C / (C + d²), whose heavy tails still pull codes that are far away; or ``rbf``,
        exp(-d² / C). Either is summed over widths C = 2 K s with s from 0.1 to 10: 2 K is the mean
        d² of two draws from N(0, I).

    Returns
    -------
    Tensor
        Scalar, float32 or float64. Its mean over draws is 0 if and only if the laws are equal; as
        it is unbiased, a single value can be below 0. It is 0 where n or m is 1: a single draw has
        no distance from another one of its law.

    Notes
    -----
    Source: Gretton et al., "A kernel two-sample test", JMLR 13 (2012), equation 3; kernel and
    widths after Tolstikhin et al. 2018.

    Examples
    --------
    >>> draws = torch.randn(3, 500, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(mmd(draws[0], draws[1]).abs() < 0.02), bool(mmd(draws[0], draws[2] + 1.0) > 0.5)
    (True, True)
    """
    if kernel not in KERNELS:
        raise unknown("kernel", kernel, KERNELS)
    x, y = wide(x), wide(y)
    if len(x) < 2 or len(y) < 2:
        return 0.0 * x.sum()  # keeps the graph
    with torch.autocast(x.device.type, enabled=False):
        # pdist holds every pair once and none of a draw with itself: the unbiased estimate.
        within = (torch.pdist(x).square(), torch.pdist(y).square())
        lengths = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
        between = (lengths - 2.0 * x @ y.T).clamp_min(0.0)
        a, b, c = (_similarity(squares, x.shape[1], kernel) for squares in (*within, between))
    return a + b - 2.0 * c


def _similarity(squares: Tensor, latents: int, kernel: str) -> Tensor:
    total = torch.zeros_like(squares)
    for scale in SCALES:
        total = total + KERNELS[kernel](squares, 2.0 * latents * scale)
    return total.mean()


@register("wasserstein")
class Wasserstein(AutoencoderModule):
    """Reconstruct, and let the codes of all rows together follow a normal law.

    Draws from N(0, I) then decode to rows like those of the data. Unlike a variational autoencoder
    it asks this of the codes as a whole, not of each row, so a code can say exactly which row it
    came from.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    weight : float
        Of the discrepancy beside the reconstruction, at least 0.
    kernel : str
        ``imq`` or ``rbf``, see :func:`mmd`.

    Notes
    -----
    Source: Tolstikhin et al., "Wasserstein auto-encoders" (2018), WAE-MMD. A batch of one row is
    not compared with the prior: the estimate needs two.
    """

    equation = "loss(x, decode(encode(x))) + weight * MMD²(encode(x), N(0, I))"
    paper = "Tolstikhin et al. 2018, arXiv:1711.01558"
    normal_prior = True

    def __init__(self, parts: Parts, *, weight: float = 0.1, kernel: str = "imq") -> None:
        super().__init__(parts)
        if not 0.0 <= weight < inf:
            raise InputError(f"weight={weight} must be at least 0; 0.1 is a good start.")
        if kernel not in KERNELS:
            raise unknown("kernel", kernel, KERNELS)
        self.weight = weight
        self.kernel = kernel

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K)."""
        z: Tensor = self.encoder(x)
        return z

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss and the weighted distance of the codes from the prior."""
        z = self.encoder(batch.x)
        apart = mmd(z, draw_like(wide(z)), self.kernel)
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "mmd": self.weight * apart,
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Compare the codes with the prior: ``mmd``, and mean and deviation of each latent."""
        z = wide(self.encode(x))
        found = compare(
            z, f"raise the kind's weight (now {self.weight:g}), train longer or on larger batches."
        )
        some = z[:_EXAMINED]
        apart = mmd(some, draw_like(some, torch.Generator(z.device).manual_seed(0)), self.kernel)
        return found._replace(statistics=found.statistics | {"mmd": float(apart)})
