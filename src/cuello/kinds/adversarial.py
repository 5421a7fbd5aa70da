"""The adversarial autoencoder.

Shapes: B samples of a batch, n samples or embeddings, K latent dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Diagnosis, ParameterGroups, Parts
from cuello.kinds.distributions import compare_with_prior, draw_prior_like
from cuello.kinds.losses import full_precision
from cuello.options import Range

__all__ = ["Adversarial", "frozen"]

_ALWAYS_RIGHT = 0.98
_FEWEST_TOLD_APART = 100  # the critic's accuracy on fewer says little


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Compute through a module that another optimizer trains.

    Gradients pass through it, but none is computed for its parameters, and its buffers (such as
    the running means of batch normalisation) end as they began.
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


@KINDS.register("adversarial", aliases=("aae",))
class Adversarial(AutoencoderModule):
    """Learns embeddings that a second network cannot tell from draws of a normal distribution.

    Encoder and critic are trained in turn, each against the other. Draws from N(0, I) then decode
    to samples like those of the data. A critic learns where the two distributions differ, instead
    of comparing them by a fixed kernel as the Wasserstein autoencoder does; in exchange the two
    optimizers have to stay in balance.

    Parameters
    ----------
    weight : float
        Weight of fooling the critic beside the reconstruction.
    critic_hidden : int
        Units in each of the critic's two layers.
    critic_lr_scale : float
        The critic's learning rate as a multiple of the autoencoder's.

    Notes
    -----
    Source: Makhzani et al., "Adversarial autoencoders" (2015); the encoder minimises
    -log critic(z), as Goodfellow et al. (2014) advise: it has a gradient also where the critic
    is sure. The critic's layers are spectrally normalised (Miyato et al. 2018): without,
    embeddings shrank into a small region in our trials.
    """

    equation = "loss(x, decode(encode(x))) - weight * log critic(encode(x))"
    paper = "Makhzani et al. 2015, arXiv:1511.05644"
    normal_prior = True

    def __init__(
        self,
        parts: Parts,
        *,
        weight: Annotated[float, Range(0.0)] = 0.03,
        critic_hidden: Annotated[int, Range(1)] = 128,
        critic_lr_scale: Annotated[float, Range(0.0, open_low=True)] = 1.0,
    ) -> None:
        super().__init__(parts)
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

    def optimizers(self) -> ParameterGroups:
        """Return the autoencoder and, at its own rate, the critic."""
        autoencoder = nn.ModuleList([self.encoder, self.decoder])  # counts tied weights once
        critic = {
            "params": list(self.critic.parameters()),
            "lr_scale": self.critic_lr_scale,
            # For Adam: a critic with a long memory lags behind the embeddings, and the two go round
            # in circles (Radford et al. 2015). Other optimizers pass over it.
            "betas": (0.5, 0.999),
        }
        return {"autoencoder": [{"params": list(autoencoder.parameters())}], "critic": [critic]}

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the terms of one optimizer; neither leaves a trace on the other.

        The critic's is its cross-entropy on embeddings and as many draws of the prior.
        """
        if optimizer == "critic":
            with frozen(self.encoder):
                z = full_precision(self.encoder(batch.x))
            fake, real = self._log_odds(torch.cat([z, draw_prior_like(z)])).chunk(2)
            return {"critic": 0.5 * (softplus(fake) + softplus(-real)).mean()}
        z = self.encoder(batch.x)
        with frozen(self.critic):
            seen_through = softplus(-self._log_odds(z)).mean()
        return {
            "reconstruction": self.reconstruction(self.decoder(z), batch.x),
            "adversarial": self.weight * seen_through,
        }

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction loss alone."""
        # Who fools whom says nothing about which epoch was best: it is good wherever the critic, an
        # opponent of the same epoch, learned badly.
        return {"reconstruction": self.reconstruction(self.decoder(self.encoder(batch.x)), batch.x)}

    def diagnose(self, x: Tensor) -> Diagnosis:
        """Compare the embeddings with the prior, dimension by dimension and by the critic."""
        z = full_precision(self.encode(x))
        draws = draw_prior_like(z, torch.Generator(z.device).manual_seed(0))
        right = torch.cat([self._log_odds(z) < 0.0, self._log_odds(draws) > 0.0])
        accuracy = float(right.double().mean())
        remedy = (
            f"raise the kind's weight (now {self.weight:g}), train longer, or use fewer latent "
            "dimensions."
        )
        statistics, findings = compare_with_prior(z, remedy)
        if len(x) >= _FEWEST_TOLD_APART and accuracy > _ALWAYS_RIGHT:
            findings.append(
                f"the critic tells {100 * accuracy:.1f} % of embeddings and prior draws apart, so "
                "the embeddings do not follow the prior; lower the kind's critic_lr_scale (now "
                f"{self.critic_lr_scale:g}), or {remedy}"
            )
        return Diagnosis(statistics | {"critic_accuracy": accuracy}, findings)

    def _log_odds(self, z: Tensor) -> Tensor:
        """Return the critic's log odds (n, 1) that each embedding is a draw from the prior."""
        with torch.autocast(z.device.type, enabled=False):
            odds: Tensor = self.critic(full_precision(z))
        return odds
