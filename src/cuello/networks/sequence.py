"""Recurrent encoder and decoder for sequences of different lengths.

Shapes: B samples of a batch, T time steps of the longest, F features of a step, U units of a layer,
K inputs of the decoder. NaN fills up the end of a shorter sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from cuello.errors import Argument, InputError, Use
from cuello.networks.base import NETWORKS, Network
from cuello.networks.layers import ACTIVATIONS, check_common, initialize

__all__ = ["Recurrent", "RecurrentDecoder", "RecurrentEncoder", "build_sequence"]

RECURRENT_CELLS: dict[str, Callable[..., nn.RNNBase]] = {"gru": nn.GRU, "lstm": nn.LSTM}
"""Recurrent layers: Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997."""


def lengths_of(x: Tensor) -> Tensor:
    """Return the number of steps of each sample, shape (B,), without waiting for the device."""
    return (~x[:, :, 0].isnan()).sum(1)


def reverse_within(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sample (B, T, ...) within its length, and not its filling: self-inverse."""
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    order = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, order[..., None].expand_as(x))


class Recurrent(nn.Module):
    """One recurrent layer, or two that read each sample from both ends.

    All samples run to the last step of the longest, so that the host need not know the lengths;
    what comes after a sample's end cannot change what came before, and is never used.
    """

    def __init__(
        self, inputs: int, units: int, cell: str, initializer: str, *, bidirectional: bool
    ) -> None:
        super().__init__()

        def build() -> nn.RNNBase:
            return initialize(RECURRENT_CELLS[cell](inputs, units, batch_first=True), initializer)

        self.forward_, self.backward_ = build(), build() if bidirectional else None
        self.outputs = units * (1 + bidirectional)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state after each step (B, T, outputs) and after the last one (B, outputs)."""
        states = [self.forward_(x)[0]]
        last = lengths - 1
        ends = [_at_step(states[0], last)]
        if self.backward_ is not None:
            backward = self.backward_(reverse_within(x, lengths))[0]
            states.append(reverse_within(backward, lengths))
            ends.append(_at_step(backward, last))
        return torch.cat(states, 2), torch.cat(ends, 1)


class RecurrentEncoder(nn.Module):
    """Recurrent layers over a sample, and a dense one from their last state to the embedding."""

    def __init__(self, layers: Sequence[Recurrent], to_latent: nn.Module, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.to_latent = to_latent

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (B, ...) of samples (B, T, F), whatever fills up the shorter ones."""
        lengths = lengths_of(x)
        states, end = x.nan_to_num(), x
        for layer in self.layers:
            states, end = map(self.dropout, layer(states, lengths))
        outputs: Tensor = self.to_latent(end)
        return outputs


class RecurrentDecoder(nn.Module):
    """A dense layer, recurrent layers whose input is its output at every step, and a last one.

    The latents at every step (as in Srivastava et al. 2015, arXiv:1502.04681, "unconditional")
    need not be remembered, which an initial state would have to be. With the time in (0, 1] beside
    them, as one more input, no layer has to learn to count.
    """

    def __init__(
        self,
        from_latent: nn.Module,
        layers: Sequence[Recurrent],
        to_steps: nn.Module,
        steps: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.from_latent, self.layers = from_latent, nn.ModuleList(layers)
        self.dropout, self.to_steps, self.steps = nn.Dropout(dropout), to_steps, steps

    def forward(self, z: Tensor) -> Tensor:
        """Return (B, T, F), all steps of every sample."""
        batch = z.shape[0]  # not len(z): an exported network takes any number of samples
        held = self.from_latent(z)[:, None].expand(-1, self.steps, -1)
        time = torch.arange(1, self.steps + 1, device=z.device, dtype=held.dtype) / self.steps
        states = torch.cat([held, time[None, :, None].expand(batch, -1, -1)], 2)
        lengths = torch.full((batch,), self.steps, device=z.device)
        for layer in self.layers:
            states = self.dropout(layer(states, lengths)[0])
        x: Tensor = self.to_steps(states)
        return x


def build_sequence(
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    hidden: Sequence[int] = (64,),
    activation: str = "relu",
    latent_activation: str = "identity",
    initializer: str = "default",
    batch_norm: bool = False,
    dropout: float = 0.0,
    cell: Annotated[str, RECURRENT_CELLS] = "gru",
    bidirectional: bool = False,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a recurrent encoder and its counterpart.

    Parameters
    ----------
    shape : tuple of int
        (T, F): steps of the longest sample, features of a step.
    hidden : sequence of int
        Units of the recurrent layers, one or more; the decoder's are in reverse order.
    activation : str
        Of the decoder's first, dense layer; cells have their own.
    batch_norm : bool
        Must be False: a recurrent layer meets each step with another distribution.
    dropout : float
        Rate after each recurrent layer.
    cell : str
        ``gru`` or ``lstm``.
    bidirectional : bool
        Whether each layer also reads from the end, with as many units again.
    inputs, outputs, latent_activation, initializer
        As for :func:`cuello.networks.dense.build_dense`; each gate is initialized by itself.

    Returns
    -------
    encoder, decoder : nn.Sequential
        One block each: stages in between would not undo one another.
    """
    _check_recurrent(shape, hidden, batch_norm=batch_norm)
    check_common(hidden, dropout)
    steps, features = shape

    def recurrent(widths: Sequence[int]) -> list[Recurrent]:
        inputs_of = [widths[0], *(units * (1 + bidirectional) for units in widths[1:-1])]
        return [
            Recurrent(a, units, cell, initializer, bidirectional=bidirectional)
            for a, units in zip(inputs_of, widths[1:], strict=True)
        ]

    def dense(a: int, b: int) -> nn.Linear:
        return initialize(nn.Linear(a, b), initializer)

    reading = recurrent([features, *hidden])
    last = dense(reading[-1].outputs, outputs)
    to_latent = nn.Sequential(last, ACTIVATIONS[latent_activation]())
    held = hidden[-1]
    from_latent = nn.Sequential(dense(inputs, held), ACTIVATIONS[activation]())
    writing = recurrent([held + 1, *reversed(hidden)])
    to_steps = dense(writing[-1].outputs, features)
    return (
        nn.Sequential(RecurrentEncoder(reading, to_latent, dropout)),
        nn.Sequential(RecurrentDecoder(from_latent, writing, to_steps, steps, dropout)),
    )


def _check_recurrent(shape: tuple[int, ...], hidden: Sequence[int], *, batch_norm: bool) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"cannot take samples of shape {shape}, only (time, features) with 1 or more of each",
            argument="network",
            value="sequence",
            remedy=(
                Use("network", "dense"),
                " for tables and ",
                Argument("network", "conv"),
                " for images",
            ),
        )
    if not hidden:
        allowed = "the units of one or more recurrent layers"
        raise InputError(argument="hidden", value=(), allowed=allowed, remedy=Use("hidden", (64,)))
    if batch_norm:
        raise InputError(
            "cannot be used by recurrent layers, which meet each step with another distribution",
            argument="batch_norm",
            value=True,
            remedy=(Use("batch_norm", False), ", and ", Argument("scaling", "standard")),
        )


def _at_step(states: Tensor, step: Tensor) -> Tensor:
    """Pick one step (B,) of (B, T, U)."""
    index = step[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)


NETWORKS.add(
    "sequence",
    Network(build_sequence, is_sequence=True),
    aliases={"gru": {"cell": "gru"}, "lstm": {"cell": "lstm"}},
)
