"""The stacked autoencoder.

Shapes: B samples of a batch, ... the shape of one sample, K latent dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from cuello.errors import InputError, Use
from cuello.kinds.base import KINDS, AutoencoderModule, Batch, ParameterGroups, Parts
from cuello.kinds.losses import ReconstructionLoss
from cuello.networks.summary import evaluating
from cuello.options import Range

__all__ = ["Stacked"]

_TOGETHER = "together"


@KINDS.register("stacked")
class Stacked(AutoencoderModule):
    """Learns a deep network layer by layer from the outside in, then all of it together.

    Each block of the encoder is trained with its mirror image on what the blocks below give: it
    learns from a target next to it, not from one at the far end of a deep network. The stages are a
    start from which the whole stack is then trained as a plain autoencoder.

    Parameters
    ----------
    parts : Parts
        Networks, loss and sizes. Encoder and decoder are ``nn.Sequential`` of as many blocks, and
        block -1 - i of the decoder undoes block i of the encoder; the networks of this package are.
    greedy_share : float
        Share of the training that is divided evenly over the blocks. 0 trains all of it together,
        as ``plain`` does.

    Notes
    -----
    Stage i has the optimizer "layer i" and a loss of the same name: the reconstruction loss of the
    samples for the first, the squared error of the block's input for others. Blocks below rest:
    their weights, batch statistics and units stay, none is dropped. The last epoch always trains
    all blocks together; best epoch and early stopping look at such epochs only.

    Source: Bengio, Lamblin, Popovici and Larochelle, "Greedy layer-wise training of deep networks",
    NIPS (2007); Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
    networks", Science 313 (2006), who train the stages as restricted Boltzmann machines.
    """

    equation = "loss(x_i, decode_i(encode_i(x_i))) block by block, then loss(x, decode(encode(x)))"
    paper = "Bengio et al. 2007, NIPS 19; Hinton and Salakhutdinov 2006, Science 313, 504-507"

    def __init__(
        self, parts: Parts, *, greedy_share: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.5
    ) -> None:
        super().__init__(parts)
        self.greedy_share = greedy_share
        self.stages = {f"layer {i + 1}": i for i in range(_count_blocks(parts))}
        self.block_reconstruction = ReconstructionLoss(
            loss="mse", output="identity", reduction=parts.reconstruction.reduction
        )

    def optimizers(self) -> ParameterGroups:
        """Return an optimizer for each block and its mirror image, and one that owns all."""
        # A list of modules counts weights that are shared, as tied ones are, once.
        owned = {name: nn.ModuleList(self._pair(stage)) for name, stage in self.stages.items()}
        owners: dict[str, nn.Module] = {**owned, _TOGETHER: self}
        return {name: [{"params": list(owner.parameters())}] for name, owner in owners.items()}

    def active_optimizers(self, progress: float) -> Sequence[str]:
        """Return the one optimizer of an epoch that begins at this progress."""
        if progress >= self.greedy_share:
            return [_TOGETHER]
        # An epoch that begins where a stage ends belongs to the next one, whatever is rounded.
        names = [*self.stages, _TOGETHER]
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
        return list(self.encoder.children())[stage], list(self.decoder.children())[-1 - stage]

    def _below(self, stage: int, x: Tensor) -> Tensor:
        """Return the input of block ``stage``, from blocks that rest."""
        below = nn.Sequential(*list(self.encoder.children())[:stage])
        with evaluating(below):
            z: Tensor = below(x)
        return z


def _count_blocks(parts: Parts) -> int:
    """Return how many blocks encoder and decoder have, if each has its mirror image."""
    for name, network in (("encoder", parts.encoder), ("decoder", parts.decoder)):
        if not isinstance(network, nn.Sequential):
            raise _not_mirrored(f"the {name} is a {type(network).__name__}")
    down, up = list(parts.encoder.children()), list(parts.decoder.children())
    if len(down) != len(up):
        raise _not_mirrored(f"the encoder has {len(down)} blocks and the decoder {len(up)}")
    pairs = list(zip(down, reversed(up), strict=True))
    for i, pair in enumerate(pairs):
        if not any(p.requires_grad for block in pair for p in block.parameters()):
            raise _not_mirrored(
                f"block {i} of the encoder and its mirror image have no weights to train"
            )
    with evaluating(parts.encoder), evaluating(parts.decoder):
        x = torch.zeros(2, *parts.shape)
        for i, (encode, decode) in enumerate(pairs):
            z = encode(x)
            try:
                back = str(tuple(decode(z).shape))
            except RuntimeError as error:
                back = str(error).splitlines()[0]
            if back != str(tuple(x.shape)):
                raise _not_mirrored(
                    f"block {i} of the encoder turns {tuple(x.shape)} into {tuple(z.shape)}, and "
                    f"block {-1 - i} of the decoder should undo that but gives {back}"
                )
            x = z
    return len(down)


def _not_mirrored(problem: str) -> InputError:
    return InputError(
        "trains block i of the encoder with block -1 - i of the decoder, both torch.nn.Sequential; "
        + problem,
        argument="kind",
        value="stacked",
        remedy=("group the layers into mirrored blocks, or ", Use("kind", "plain")),
    )
