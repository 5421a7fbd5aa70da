"""The variational autoencoder."""

from __future__ import annotations

from cuello.kinds.base import KINDS
from cuello.kinds.evidence import EvidenceModule

__all__ = ["Variational"]


@KINDS.register("variational", aliases={"vae": {}, "iwae": {"samples": 5}})
class Variational(EvidenceModule):
    """Learns a distribution of embeddings for each sample, from which new samples can be drawn.

    z is drawn from N(0, I) and x from the likelihood around decode(z); the encoder gives mean and
    log-variance of a Gaussian q(z | x) that stands in for the posterior. A lower bound on the
    likelihood of the samples is maximised.

    Parameters
    ----------
    likelihood : str
        ``bernoulli``, ``gaussian``, or ``auto``: Bernoulli where the loss is ``bce`` (data in
        0..1), Gaussian where it is ``mse``. Other losses belong to no likelihood and are refused.
    variance : float
        Of the Gaussian, in squared units of the scaled data; 0 learns one number for all elements.
    beta : float
        Weight of the KL; above 1 it favours few and independent latent dimensions.
    kl_warm_up : float
        Share of the training over which the weight of the KL rises linearly from 0.
    free_bits : float
        Nats a latent dimension, on average over a batch, that cost nothing.
    samples : int
        Draws of z a sample. From 2 on, the importance-weighted bound is maximised, which is
        tighter; beta, kl_warm_up and free_bits must then stay at their defaults.

    Notes
    -----
    Terms are in nats a sample, summed over elements and averaged over samples whatever
    ``reduction`` says: only then do likelihood and KL stand in the right proportion. Of a Gaussian
    they can be negative, since a density can be above 1. With ``samples`` from 2 on there is one
    term, ``bound``, minus the importance-weighted bound.

    Sources: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; Higgins et al.,
    "beta-VAE", ICLR 2017; Bowman et al., "Generating sentences from a continuous space", CoNLL
    2016 (warm-up); Kingma et al., "Improved variational inference with inverse autoregressive
    flow", NeurIPS 2016 (free bits); Burda et al., "Importance weighted autoencoders", ICLR 2016.
    """

    display_name = "Variational (VAE)"
    equation = "-E_q[log p(x | z)] + beta KL(q(z | x) || N(0, I))"
    paper = "Kingma and Welling 2014, arXiv:1312.6114"
