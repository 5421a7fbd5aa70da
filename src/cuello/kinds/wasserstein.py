"""The Wasserstein autoencoder.

Shapes: B samples of a batch, n draws of one distribution, m of another, K latent dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Diagnosis, Parts
from cuello.kinds.distributions import compare_with_prior, draw_prior_like
from cuello.kinds.losses import full_precision
from cuello.options import Range

__all__ = ["KERNELS", "Wasserstein", "mmd"]

KERNEL_WIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""As multiples of the mean squared distance of two draws from the prior."""
_MOST_EXAMINED = 1000  # pairs of embeddings grow with the square

KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "imq": lambda squares, width: width / (width + squares),
    "rbf": lambda squares, width: torch.exp(-squares / width),
}
"""Name -> ``kernel(squared distances, width)``, similarities in (0, 1]."""


def mmd(x: Tensor, y: Tensor, kernel: str = "imq") -> Tensor:
    """Estimate the squared maximum mean discrepancy of two distributions from draws of each.

    The kernel of draws (n, K) and (m, K) is ``imq``, C / (C + d²), whose heavy tails still pull
    embeddings that are far away, or ``rbf``, exp(-d² / C). Either is summed over widths C = 2 K s
    with s from 0.1 to 10: 2 K is the mean d² of two draws from N(0, I). The estimate is unbiased,
    so a single value can be below 0; it is 0 where n or m is 1: a single draw has no distance from
    another one of its distribution.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13 (2012), equation 3; kernel and
    widths after Tolstikhin et al. 2018.
    """
    x, y = full_precision(x), full_precision(y)
    if len(x) < 2 or len(y) < 2:
        return 0.0 * x.sum()  # keeps the graph
    with torch.autocast(x.device.type, enabled=False):
        # pdist holds every pair once and none of a draw with itself: the unbiased estimate.
        within = (torch.pdist(x).square(), torch.pdist(y).square())
        lengths = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1)
        between = (lengths - 2.0 * x @ y.T).clamp_min(0.0)
        similarities = []
        for squares in (*within, between):
            total = torch.zeros_like(squares)
            for width in KERNEL_WIDTHS:
                total = total + KERNELS[kernel](squares, 2.0 * x.shape[1] * width)
            similarities.append(total.mean())
    a, b, c = similarities
    return a + b - 2.0 * c


@KINDS.register("wasserstein", aliases=("wae",))
class Wasserstein(AutoencoderModule):
    """Learns embeddings that, all together, are spread like a normal distribution.

    Draws from N(0, I) then decode to samples like those of the data. Unlike a variational
    autoencoder it asks this of the embeddings as a whole, not of each sample, so an embedding can
    say exactly which sample it came from.

    Parameters
    ----------
    weight : float
        Weight of the discrepancy beside the reconstruction.
    kernel : str
        ``imq`` or ``rbf``, see :func:`mmd`.

    Notes
    -----
    Source: Tolstikhin et al., "Wasserstein auto-encoders" (2018), WAE-MMD. A batch of one sample is
    not compared with the prior: the estimate needs two.
    """

    equation = "loss(x, decode(encode(x))) + weight * MMD²(encode(x), N(0, I))"
    paper = "Tolstikhin et al. 2018, arXiv:1711.01558"
    normal_prior = True

    def __init__(
        self,
        parts: Parts,
        *,
        weight: Annotated[float, Range(0.0)] = 0.1,
        kernel: Annotated[str, KERNELS] = "imq",
    ) -> None:
        super().__init__(parts)
        self.weight = weight
        self.kernel = kernel

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss and the weighted discrepancy of embeddings and prior."""
        z = self.encoder(batch.x)
        discrepancy = mmd(z, draw_prior_like(full_precision(z)), self.kernel)
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "mmd": self.weight * discrepancy,
        }

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Compare embeddings with the prior: ``mmd``, and mean and deviation of each dimension."""
        z = full_precision(self.encode(x))
        statistics, findings = compare_with_prior(
            z, f"raise the kind's weight (now {self.weight:g}), train longer or on larger batches."
        )
        some = z[:_MOST_EXAMINED]
        draws = draw_prior_like(some, torch.Generator(z.device).manual_seed(0))
        return Diagnosis(statistics | {"mmd": float(mmd(some, draws, self.kernel))}, findings)
