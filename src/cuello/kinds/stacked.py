"""The stacked autoencoder: trained layer by layer from the outside in, then all of it together.

Shapes: B rows of a batch, ... the shape of one row, K latents.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cuello.errors import InputError
from cuello.kinds.base import AutoencoderModule, Batch, ParameterGroups, Parts, register
from cuello.kinds.losses import Reconstruction

__all__ = ["Stacked"]

_TOGETHER = "together"


@register("stacked")
class Stacked(AutoencoderModule):
    """Train each block of the encoder with its mirror image on what the blocks below give.

    A block learns from a target next to it, not from one at the far end of a deep network; the
    stages are a start from which the whole stack is then trained as a plain autoencoder.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes. Encoder and decoder are ``nn.Sequential`` of as many blocks, and
        block -1 - i of the decoder undoes block i of the encoder; the networks of this package are.
    greedy_share : float
        Share of the training, in [0, 1), that is divided evenly over the blocks. 0 trains all of it
        together, as ``plain`` does.

    Raises
    ------
    InputError
        If the share is outside its range, or the blocks of encoder and decoder are no mirror image.

    Notes
    -----
    Stage i has the optimizer "layer i" and a loss of the same name: the reconstruction loss of the
    rows for the first, the squared error of the block's input for others. Blocks below rest: their
    weights, batch statistics and units stay, none is dropped. Losses of different stages are on
    different scales; the one on held-out rows is that of the whole stack all along.

    With few epochs some stages get none; the last epoch always trains all blocks together. The best
    epoch and early stopping look at epochs of all blocks together only.

    Source: Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks",
    NIPS (2007); Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
    networks", Science 313 (2006), who train the stages as restricted Boltzmann machines.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cuello import AutoencoderModule
    >>> model = AutoencoderModule("stacked", hidden=(32,), latent_dim=8, epochs=4)
    >>> [list(epoch.train) for epoch in model.fit(load_digits().images).history_]
    [['layer 1'], ['layer 2'], ['reconstruction'], ['reconstruction']]
    """

    equation = "loss(x_i, decode_i(encode_i(x_i))) block by block, then loss(x, decode(encode(x)))"
    paper = "Bengio et al. 2007, NIPS 19; Hinton and Salakhutdinov 2006, Science 313, 504-507"

    def __init__(self, parts: Parts, *, greedy_share: float = 0.5) -> None:
        super().__init__(parts)
        if not 0.0 <= greedy_share < 1.0:
            raise InputError(
                f"greedy_share={greedy_share!r} must be in [0, 1), the share of the epochs that "
                "train one block at a time; 0.5 is usual, 0 trains all together."
            )
        self.greedy_share = greedy_share
        self.stages = {f"layer {i + 1}": i for i in range(_count_blocks(parts))}
        self.block_reconstruction = Reconstruction(
            loss="mse", output="identity", reduction=parts.reconstruction.reduction
        )

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B, K), through all blocks."""
        z: Tensor = self.encoder(x)
        return z

    def optimizers(self) -> ParameterGroups:
        """Return a optimizer a block, which owns it and its mirror image, and one that owns all."""
        owned: dict[str, Sequence[nn.Module]] = {
            name: self._pair(stage) for name, stage in self.stages.items()
        }
        owned[_TOGETHER] = [self]
        # A list of modules counts weights that are shared, as tied ones are, once.
        return {
            name: [{"params": list(nn.ModuleList(modules).parameters())}]
            for name, modules in owned.items()
        }

    def active_optimizers(self, progress: float) -> Sequence[str]:
        """Return the one optimizer of an epoch that begins at this progress."""
        names = [*self.stages, _TOGETHER]
        if progress >= self.greedy_share:
            return [_TOGETHER]
        # An epoch that begins where a stage ends belongs to the next one, whatever is rounded.
        return [names[int(len(self.stages) * progress / self.greedy_share + 1e-9)]]

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the loss of one stage under its name, or that of the whole stack."""
        if optimizer == _TOGETHER:
            sums = self.decoder(self.encoder(batch.x))
            return {"reconstruction": self.reconstruction(sums, batch.x)}
        stage = self.stages[optimizer]
        encode, decode = self._pair(stage)
        target = self._below(stage, batch.x)
        loss = self.block_reconstruction if stage else self.reconstruction
        return {optimizer: loss(decode(encode(target)), target)}

    def _pair(self, stage: int) -> tuple[nn.Module, nn.Module]:
        return _blocks(self.encoder)[stage], _blocks(self.decoder)[-1 - stage]

    def _below(self, stage: int, x: Tensor) -> Tensor:
        """Return what block ``stage`` is given, from blocks that rest."""
        with torch.no_grad():
            for block in _blocks(self.encoder)[:stage]:
                block.eval()
                x = block(x)
                block.train(self.training)
        return x


def _blocks(network: nn.Module) -> list[nn.Module]:
    return list(network.children())


def _count_blocks(parts: Parts) -> int:
    """Return how many blocks encoder and decoder have, if each has its mirror image."""
    halves = {"encoder": parts.encoder, "decoder": parts.decoder}
    way_out = "group the layers of both into as many torch.nn.Sequential, or use kind='plain'."
    for which, network in halves.items():
        if not isinstance(network, nn.Sequential):
            raise InputError(
                f"{which} is a {type(network).__name__}; kind='stacked' trains it block by block "
                f"and needs a torch.nn.Sequential of blocks: {way_out}"
            )
    down, up = (_blocks(network) for network in halves.values())
    if len(down) != len(up):
        raise InputError(
            f"encoder has {len(down)} blocks and decoder {len(up)}; kind='stacked' trains block i "
            f"of one with block -1 - i of the other: {way_out}"
        )
    for i, pair in enumerate(zip(down, reversed(up), strict=True)):
        if not any(p.requires_grad for block in pair for p in block.parameters()):
            raise InputError(
                f"block {i} of the encoder and its mirror image have no weights to train: {way_out}"
            )
    _check_shapes(parts, way_out)
    return len(down)


@torch.no_grad()
def _check_shapes(parts: Parts, way_out: str) -> None:
    """Refuse blocks of the decoder that give other shapes than those of the encoder take."""
    modes = parts.encoder.training, parts.decoder.training
    x = torch.zeros(2, *parts.shape)
    down, up = _blocks(parts.encoder.eval()), _blocks(parts.decoder.eval())
    for i, (encode, decode) in enumerate(zip(down, reversed(up), strict=True)):
        code = encode(x)
        try:
            back = str(tuple(decode(code).shape))
        except RuntimeError as error:
            back = str(error).splitlines()[0]
        if back != str(tuple(x.shape)):
            raise InputError(
                f"block {i} of the encoder turns {tuple(x.shape)} into {tuple(code.shape)}, and "
                f"block {-1 - i} of the decoder should undo that but gives {back}: {way_out}"
            )
        x = code
    parts.encoder.train(modes[0])
    parts.decoder.train(modes[1])
