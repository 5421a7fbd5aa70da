"""The adversarial autoencoder: codes follow the prior because a critic cannot tell them from it.

Shapes: B rows of a batch, n rows or codes, K latents.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from cuello.errors import InputError
from cuello.kinds.base import AutoencoderModule, Batch, Diagnosis, ParameterGroups, Parts, register
from cuello.kinds.prior import compare, draw_like, wide

__all__ = ["Adversarial", "frozen"]

_ALWAYS_RIGHT = 0.98
_LEAST_ROWS = 100  # the critic's accuracy on fewer says little


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Compute through a module that somebody else trains.

    Gradients pass through it, but none is computed for its parameters, and its buffers (such as
    the running means of batch normalisation) end as they began.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> with frozen(layer):
    ...     y = layer(x)
    >>> y.backward()
    >>> x.grad is None, layer.weight.grad is None, layer.weight.requires_grad
    (False, True, True)
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        for buffer, before in buffers:
            buffer.copy_(before)


@register("adversarial")
class Adversarial(AutoencoderModule):
    """Reconstruct, and make codes that a critic takes for draws from a normal law.

    Encoder and critic are trained in turn, each against the other. Draws from N(0, I) then decode
    to rows like those of the data. A critic learns where the two laws differ, instead of comparing
    them by a fixed kernel as the Wasserstein autoencoder does; in exchange the two optimizers have
    to stay in balance.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes.
    weight : float
        Of fooling the critic beside the reconstruction, at least 0.
    critic_hidden : int
        Units in each of the critic's two layers, at least 1.
    critic_lr_scale : float
        The critic's learning rate as a multiple of the autoencoder's, above 0.

    Notes
    -----
    Source: Makhzani et al., "Adversarial autoencoders" (2015); the encoder minimises
    -log critic(code), as Goodfellow et al. (2014) advise: it has a gradient also where the critic
    is sure. The critic's layers are spectrally normalised (Miyato et al. 2018): without, the codes
    shrank into a small region in our trials.
    """

    equation = "loss(x, decode(encode(x))) - weight * log critic(encode(x))"
    paper = "Makhzani et al. 2015, arXiv:1511.05644"
    normal_prior = True

    def __init__(
        self,
        parts: Parts,
        *,
        weight: float = 0.03,
        critic_hidden: int = 128,
        critic_lr_scale: float = 1.0,
    ) -> None:
        super().__init__(parts)
        if not 0.0 <= weight < inf:
            raise InputError(f"weight={weight} must be at least 0; 0.03 is a good start.")
        if critic_hidden < 1:
            raise InputError(f"critic_hidden={critic_hidden} must be at least 1; 128 is usual.")
        if not 0.0 < critic_lr_scale < inf:
            raise InputError(f"critic_lr_scale={critic_lr_scale} must be above 0; 1 is usual.")
        self.weight = weight
        self.critic_lr_scale = critic_lr_scale
        # Smooth activations, because the encoder learns from the critic's slope.
        self.critic = nn.Sequential(
            spectral_norm(nn.Linear(parts.latent_dim, critic_hidden)),
            nn.SiLU(),
            spectral_norm(nn.Linear(critic_hidden, critic_hidden)),
            nn.SiLU(),
            spectral_norm(nn.Linear(critic_hidden, 1)),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K)."""
        z: Tensor = self.encoder(x)
        return z

    def optimizers(self) -> ParameterGroups:
        """Return the autoencoder and, at its own rate, the critic."""
        autoencoder = nn.ModuleList([self.encoder, self.decoder])  # counts tied weights once
        critic = {
            "params": list(self.critic.parameters()),
            "lr_scale": self.critic_lr_scale,
            # For Adam: a critic with a long memory lags behind the codes, and the two go round in
            # circles (Radford et al. 2015). Other optimizers pass over it.
            "betas": (0.5, 0.999),
        }
        return {"autoencoder": [{"params": list(autoencoder.parameters())}], "critic": [critic]}

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of one optimizer; neither leaves a trace on the other."""
        if optimizer == "critic":
            with frozen(self.encoder):
                z = self.encoder(batch.x)
            return {"critic": self._mistakes(wide(z))}
        z = self.encoder(batch.x)
        with frozen(self.critic):
            seen_through = softplus(-self._belief(z)).mean()
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "adversarial": self.weight * seen_through,
        }

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction loss alone.

        Who fools whom is measured against an opponent of the same epoch: it is good after an epoch
        in which the critic learned badly, and says nothing about which epoch was best.
        """
        return {"reconstruction": self.reconstruction(self.decoder(self.encoder(batch.x)), batch.x)}

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Compare the codes with the prior, by each latent and by the critic's accuracy."""
        z = wide(self.encode(x))
        draws = draw_like(z, torch.Generator(z.device).manual_seed(0))
        right = torch.cat([self._belief(z) < 0.0, self._belief(draws) > 0.0])
        accuracy = float(right.double().mean())
        way_out = (
            f"raise the kind's weight (now {self.weight:g}), train longer, or use fewer latents."
        )
        found = compare(z, way_out)
        if len(x) >= _LEAST_ROWS and accuracy > _ALWAYS_RIGHT:
            found.findings.append(
                f"the critic tells {100 * accuracy:.1f} % of codes and prior draws apart, so the "
                "codes do not follow the prior; lower the kind's critic_lr_scale (now "
                f"{self.critic_lr_scale:g}), or {way_out}"
            )
        return found._replace(statistics=found.statistics | {"critic_accuracy": accuracy})

    def _belief(self, z: Tensor) -> Tensor:
        """Return the critic's log odds (n, 1) that each code is a draw from the prior."""
        with torch.autocast(z.device.type, enabled=False):
            odds: Tensor = self.critic(wide(z))
        return odds

    def _mistakes(self, z: Tensor) -> Tensor:
        """Return the critic's cross-entropy on codes (B, K) and as many draws from the prior."""
        fake, real = self._belief(torch.cat([z, draw_like(z)])).chunk(2)
        return 0.5 * (softplus(fake) + softplus(-real)).mean()
