"""The contractive autoencoder.

Shapes: B samples of a batch, D elements of a sample, K latent dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Parts
from cuello.kinds.losses import full_precision
from cuello.options import Range

__all__ = ["Contractive"]

# Activation -> its squared slope from its value: no second pass through the layer.
_SQUARED_SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Identity: torch.ones_like,
    nn.Sigmoid: lambda z: (z * (1 - z)).square(),
    nn.Tanh: lambda z: (1 - z.square()).square(),
}


@KINDS.register("contractive", aliases=("cae",))
class Contractive(AutoencoderModule):
    """Learns embeddings that hardly move when a sample changes a little.

    Every direction in which an embedding moves has its price, and only those in which samples
    really differ pay it back in reconstruction; so embeddings follow these and no others.

    Parameters
    ----------
    weight : float
        Weight of the squared Frobenius norm of the Jacobian d encode(x) / dx, averaged over
        samples, beside the loss of one element. With ``reduction="sum"`` the penalty counts as
        often as a sample has elements; the paper's weight, on sums over D elements, is
        ``weight * D``.

    Notes
    -----
    For an encoder of one layer (``hidden=()``) with a sigmoid, tanh or no activation the norm is
    exact and nearly free (the paper's equation 3). Any deeper one takes Hutchinson's estimate: the
    squared length of J'v for one random v of signs a sample; it costs about as much again as the
    step without it. Slopes through the mean and variance of batch normalisation count, too.

    An encoder can dodge the penalty by shrinking its weights while the decoder's grow. The paper
    ties them, ``network_options={"tied": True}``; with ``weight_decay`` neither can.

    Source: Rifai, Vincent, Muller, Glorot and Bengio, "Contractive auto-encoders: explicit
    invariance during feature extraction", ICML (2011); Hutchinson, "A stochastic estimator of the
    trace of the influence matrix", Communications in Statistics 18 (1989).
    """

    equation = "loss(x, decode(encode(x))) + weight * |d encode(x) / dx|^2"
    paper = "Rifai et al. 2011, ICML, 833-840"
    latent_activation = "sigmoid"

    def __init__(self, parts: Parts, *, weight: Annotated[float, Range(0.0)] = 0.001) -> None:
        super().__init__(parts)
        self.weight = parts.per_element(weight)

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the reconstruction loss and the weighted norm, also where gradients are off."""
        z, norm = self.encode_with_norm(batch.x)
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "contraction": self.weight * norm,
        }

    def encode_with_norm(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings (B, K) and the mean over samples of the squared norm, a scalar."""
        layer = _one_layer(self.encoder)
        if layer is None:
            return _estimated(self.encoder, x)
        linear, activation = layer
        z_BK: Tensor = self.encoder(x)
        slopes_BK = _SQUARED_SLOPES[type(activation)](full_precision(z_BK))
        return z_BK, (slopes_BK * linear.weight.square().sum(dim=1)).sum(dim=1).mean()


def _one_layer(encoder: nn.Module) -> tuple[nn.Linear, nn.Module] | None:
    """Return linear layer and activation of an encoder that has no others; None if it has."""
    # Of a module but Sequential that holds others, forward may do anything with these.
    layers = [m for m in encoder.modules() if type(m) not in (nn.Sequential, nn.Flatten)]
    if len(layers) == 2 and type(layers[0]) is nn.Linear and type(layers[1]) in _SQUARED_SLOPES:
        return layers[0], layers[1]
    return None


def _estimated(encoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    learning = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()  # a new view: the batch itself stays as it is
        z_BK: Tensor = encoder(x)
        # E vv' = I, hence E |J'v|^2 = |J|^2; of all such v, signs have the least variance.
        v_BK = torch.empty_like(z_BK, requires_grad=False).bernoulli_().mul_(2).sub_(1)
        (pulled,) = torch.autograd.grad(z_BK, x, v_BK, create_graph=learning)
    norm = pulled.square().sum() / len(x)
    return (z_BK, norm) if learning else (z_BK.detach(), norm)
