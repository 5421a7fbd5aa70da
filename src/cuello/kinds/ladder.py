"""The ladder network.

Shapes: B samples of a batch, ... the shape of one sample, C classes.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cuello.errors import InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, Parts
from cuello.kinds.lateral import Combinator, LadderDecoder, LadderEncoder, LadderLayer, normalise
from cuello.networks.dense import TiedLinear
from cuello.networks.summary import evaluating
from cuello.options import Range

__all__ = ["Ladder"]

_CHUNK_SAMPLES = 4096  # a product, where all samples are looked at
_LEFT_OUT = (nn.Flatten, nn.Unflatten, nn.BatchNorm1d)
_LINEAR = (nn.Identity, nn.Dropout)


@KINDS.register("ladder")
class Ladder(AutoencoderModule):
    """Learns to remove noise at every layer, and classifies where a few samples have labels.

    Connections from each noisy layer of the encoder to the same layer of the decoder carry the
    details, so that the layers above need not: they are free for what details follow from, which is
    what a class is. With classes the network classifies, too, and both are learned together.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes. Encoder and decoder are ``nn.Sequential`` of blocks with one dense
        layer each, as the network ``dense`` has. Their biases and batch normalisation are left
        out: every layer is normalised here. With classes, there is one more layer on top.
    noise_std : float
        Standard deviation of the noise on samples and on every normalised layer.
    input_weight, first_weight, upper_weight : float
        Weight of the loss on samples, on the first layer, and on each layer above it.
    projected : bool
        Whether each unit's weights are scaled to norm 1 before every step, and the top layer has no
        loss.

    Notes
    -----
    z of a layer are its sums, normalised over the batch; noisy samples and clean ones, those with a
    label and those without, by themselves, on held-out samples, too. The distance on samples is
    ``loss``; the paper has ``loss="mse"`` with ``output_activation="identity"``. Samples with a
    label are classified, and samples without one (-1) denoised; if all have one, they are both.

    The embedding is z of the encoder's last layer, before its activation. Decoding goes down from
    it by the mean that each layer suggests for the one below, since there is no noisy sample beside
    it: a coarse picture, because details need not pass through the embedding.

    Source: Rasmus, Valpola, Honkala, Berglund and Raiko, "Semi-supervised learning with ladder
    networks", NIPS (2015), arXiv:1507.02672.
    """

    equation = "input_weight * loss(x, x') + Σ weight_l * |z_l - z'_l|², z' from noisy z and above"
    paper = "Rasmus et al. 2015, NIPS 28, arXiv:1507.02672"
    restores = True
    dense_only = True

    def __init__(
        self,
        parts: Parts,
        *,
        noise_std: Annotated[float, Range(0.0, open_low=True)] = 0.3,
        input_weight: Annotated[float, Range(0.0)] = 1000.0,
        first_weight: Annotated[float, Range(0.0)] = 10.0,
        upper_weight: Annotated[float, Range(0.0)] = 0.1,
        projected: bool = False,
    ) -> None:
        super().__init__(parts)
        self.noise_std, self.projected = noise_std, projected
        up, down = _linears("encoder", parts.encoder), _linears("decoder", parts.decoder)
        widths = [math.prod(parts.shape), *(units for _, units, _ in up)]
        if (back := [units for _, units, _ in down]) != widths[-2::-1]:
            raise InputError(
                f"needs a decoder that mirrors the encoder, with layers of {widths[-2::-1]} units, "
                f"not {back}",
                argument="kind",
                value="ladder",
            )
        self.top, above = None, None
        if parts.classes:
            above = _normal_linear(parts.classes, widths[-1])
            below = _normal_linear(widths[-1], parts.classes)
            self.top = LadderLayer(below, parts.classes, nn.Identity(), gain=True)
            self.top_combinator = Combinator(None, parts.classes)
        self.encoder: LadderEncoder = LadderEncoder(
            [
                LadderLayer(*layer, shift=any(not isinstance(m, _LINEAR) for m in layer[-1]))
                for layer in up
            ]
        )
        combinators = [Combinator(above, widths[-1]), *(Combinator(*layer[:2]) for layer in down)]
        self.decoder: LadderDecoder = LadderDecoder(combinators, parts.shape, widths[-1])
        self.weights = [input_weight, first_weight, *[upper_weight] * (len(self.layers) - 1)]
        if projected:
            self.weights[-1] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores before the softmax (B, C), if there are classes."""
        assert self.top is not None
        scores: Tensor = self.top(self.encoder.last.activate(self.encode(x)))
        return scores

    @property
    def layers(self) -> list[LadderLayer]:
        """Layers of the encoder from the samples up, and that of the classes on top."""
        return [*self.encoder.layers, *([] if self.top is None else [self.top])]

    @property
    def combinators(self) -> list[Combinator]:
        """Combinators of the decoder, from the top down to the samples."""
        return [*([] if self.top is None else [self.top_combinator]), *self.decoder.combinators]

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the cross-entropy, if there are classes, and the weighted loss of each layer."""
        if self.projected and self.training:
            self._project()
        labelled, y, x = self._divide(batch)
        few, flat = len(labelled), x.flatten(1)
        # One product a layer: noisy samples with a label, noisy ones without, and the same clean.
        sizes = [size for size in (few, len(x), len(x)) if size]
        h = torch.cat([self._noisy(labelled.flatten(1)), self._noisy(flat), flat])
        noisy, clean = [h[few : -len(x)]], []
        for layer in self.layers:
            paths = [normalise(sums) for sums in layer.linear(h).split(sizes)]
            z = [*(self._noisy(path.z) for path in paths[:-1]), paths[-1].z]
            h = layer.activate(torch.cat(z))
            layer.statistics.update(paths[-1])
            noisy.append(z[-2])
            clean.append(paths[-1])
        self.decoder.statistics.update(clean[len(self.encoder.layers) - 1])
        terms, above = {}, h[few : -len(x)]
        if self.top is not None:
            # The mean of no samples is NaN, their sum is not.
            entropy = F.cross_entropy(h[:few], y, reduction="sum") / max(few, 1)
            terms["cross_entropy"], above = entropy, above.softmax(1)
        for level, combinator in zip(reversed(range(len(noisy))), self.combinators, strict=True):
            above = combinator.denoise(above, noisy[level])
            if level and self.weights[level]:
                # Shifted and scaled as the clean sums were, before it is compared with clean z.
                target, mean, scale = clean[level - 1]
                distance = F.mse_loss((above - mean) * scale, target)
                terms[f"layer {level}"] = self.weights[level] * distance
        terms["input"] = self.weights[0] * self.reconstruction(above.view_as(x), x)
        return terms

    @torch.no_grad()
    def estimate_statistics(self, x: Tensor) -> None:
        """Take mean and variance of every layer from all training samples (n, ...), without noise.

        While training they are averages over the last batches. Two layers of all samples are held
        in memory at a time.
        """
        h = x.flatten(1)
        with evaluating(self):
            for layer in self.layers:
                sums = torch.cat([layer.linear(chunk) for chunk in torch.split(h, _CHUNK_SAMPLES)])
                statistics = layer.statistics
                statistics.variance, statistics.mean = torch.var_mean(sums, 0, correction=0)
                h = layer.activate(statistics.normal(sums))
        self.decoder.statistics.load_state_dict(self.encoder.last.statistics.state_dict())

    def _noisy(self, z: Tensor) -> Tensor:
        return torch.add(z, torch.randn_like(z), alpha=self.noise_std)

    def _divide(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return samples with a label, their labels, and samples to denoise: the others, or all."""
        if self.top is None or batch.y is None:
            return batch.x[:0], batch.x.new_empty(0, dtype=torch.long), batch.x
        has_label = batch.y >= 0  # a GPU has to be waited for here: their number is a shape
        labelled, x = batch.x[has_label], batch.x[~has_label]
        return labelled, batch.y[has_label], x if len(x) else labelled

    @torch.no_grad()
    def _project(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                layer.weight /= layer.weight.norm(dim=1, keepdim=True)


def _linears(name: str, network: nn.Module) -> list[tuple[nn.Module, int, nn.Sequential]]:
    """Return dense layer, number of units, and layers after it, for each block of a network."""
    blocks: list[tuple[nn.Module, int, nn.Sequential]] = []
    for block in network.children():
        layers = list(block.modules())
        dense = [layer for layer in layers if isinstance(layer, nn.Linear | TiedLinear)]
        others = [layer for layer in layers if not isinstance(layer, (*_LEFT_OUT, nn.Sequential))]
        if len(dense) != 1 or others[0] is not dense[0]:
            raise InputError(
                "needs blocks of one dense layer and what comes after it, in a "
                f"torch.nn.Sequential; the {name} has a block {type(block).__name__}",
                argument="kind",
                value="ladder",
                remedy=(Use("network", "dense"), ", or another kind"),
            )
        (linear,) = dense
        units = linear.out_features if isinstance(linear, nn.Linear) else linear.weight.shape[1]
        blocks.append((linear, units, nn.Sequential(*others[1:])))
    return blocks


def _normal_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer
