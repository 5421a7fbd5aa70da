"""Recurrent encoder and decoder for sequences of different lengths.

Shapes: B rows of a batch, T time steps of the longest, F features of a step, U units of a layer,
K inputs of the decoder. NaN fills up the end of a shorter sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cuello.errors import InputError, unknown
from cuello.networks.layers import (
    activation_layer,
    check_common,
    fill_bias,
    initialize,
    initializer,
)

__all__ = ["CELLS", "Reader", "Recurrent", "Writer", "build"]

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"gru": nn.GRU, "lstm": nn.LSTM}
"""Recurrent layers: Cho et al. 2014, arXiv:1406.1078; Hochreiter and Schmidhuber 1997."""


def lengths_of(x: Tensor) -> Tensor:
    """Return how many steps of each row are there, shape (B,); it stays on the device.

    Examples
    --------
    >>> lengths_of(torch.tensor([[[1.0], [2.0]], [[3.0], [torch.nan]]]))
    tensor([2, 1])
    """
    return (~x[:, :, 0].isnan()).sum(1)


def turn(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each row (B, T, ...) within its own length and leave what fills it up: self-inverse.

    Examples
    --------
    >>> turn(torch.tensor([[[1], [2], [0]]]), torch.tensor([2]))[0, :, 0].tolist()
    [2, 1, 0]
    """
    steps = torch.arange(x.shape[1], device=x.device)
    back = lengths[:, None] - 1 - steps
    order = torch.where(back >= 0, back, steps)
    return x.gather(1, order[..., None].expand_as(x))


class Recurrent(nn.Module):
    """One recurrent layer, or two that read each row from both ends.

    Every row is run through to the last step of the longest, which takes no look at the lengths by
    the host; what comes after a row's end cannot change what came before, and is never used.

    Parameters
    ----------
    inputs, units : int
        Numbers a step that go in and, for each direction, come out.
    cell : str
        One of :data:`CELLS`.
    initializer : str
        See :data:`cuello.networks.layers.INITIALIZERS`; for each gate by itself.
    bidirectional : bool
        Whether a second layer reads each row from its own end to its beginning.
    """

    def __init__(
        self, inputs: int, units: int, cell: str, initializer: str, *, bidirectional: bool
    ) -> None:
        super().__init__()
        self.onward = _layer(inputs, units, cell, initializer)
        self.backward_ = _layer(inputs, units, cell, initializer) if bidirectional else None
        self.outputs = units * (1 + bidirectional)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state after each step (B, T, outputs) and after the last one (B, outputs)."""
        states = [self.onward(x)[0]]
        last = lengths - 1
        ends = [_at(states[0], last)]
        if self.backward_ is not None:
            turned = self.backward_(turn(x, lengths))[0]
            states.append(turn(turned, lengths))
            ends.append(_at(turned, last))
        return torch.cat(states, 2), torch.cat(ends, 1)


class Reader(nn.Module):
    """Recurrent layers over a row, and a dense one from their last state to the code.

    Parameters
    ----------
    layers : sequence of Recurrent
        From the input to the code.
    to_code : nn.Module
        (B, outputs of the last layer) -> (B, code).
    dropout : float
        Rate in [0, 1) after each layer.
    """

    def __init__(self, layers: Sequence[Recurrent], to_code: nn.Module, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.to_code = to_code

    def forward(self, x: Tensor) -> Tensor:
        """Return the code (B, ...) of rows (B, T, F); what fills up a row does not change it."""
        lengths = lengths_of(x)
        states, end = x.nan_to_num(), x
        for layer in self.layers:
            states, end = layer(states, lengths)
            states, end = self.dropout(states), self.dropout(end)
        code: Tensor = self.to_code(end)
        return code


class Writer(nn.Module):
    """A dense layer, recurrent layers that are given its result at every step, and one more.

    Parameters
    ----------
    from_code : nn.Module
        (B, K) -> (B, any width).
    layers : sequence of Recurrent
        The first takes one input more than ``from_code`` gives: how far the row is, in (0, 1].
    to_row : nn.Module
        (B, T, outputs of the last layer) -> (B, T, F).
    steps : int
        T.
    dropout : float
        Rate in [0, 1) after each layer.

    Notes
    -----
    The code at every step (as in Srivastava et al. 2015, arXiv:1502.04681, "unconditional") need
    not be remembered, which an initial state would have to be. With the time beside it, no layer
    has to learn to count.
    """

    def __init__(
        self,
        from_code: nn.Module,
        layers: Sequence[Recurrent],
        to_row: nn.Module,
        steps: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.from_code = from_code
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.to_row = to_row
        self.steps = steps

    def forward(self, z: Tensor) -> Tensor:
        """Return (B, T, F), all steps of every row."""
        batch = z.shape[0]  # not len(z): an exported network takes any number of rows
        held = self.from_code(z)[:, None].expand(-1, self.steps, -1)
        time = torch.arange(1, self.steps + 1, device=z.device, dtype=held.dtype) / self.steps
        states = torch.cat([held, time[None, :, None].expand(batch, -1, -1)], 2)
        lengths = torch.full((batch,), self.steps, device=z.device)
        for layer in self.layers:
            states = self.dropout(layer(states, lengths)[0])
        rows: Tensor = self.to_row(states)
        return rows


def build(
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
    cell: str = "gru",
    bidirectional: bool = False,
) -> tuple[nn.Sequential, nn.Sequential]:
    """Build a recurrent encoder and its counterpart.

    Parameters
    ----------
    shape : tuple of int
        (T, F): steps of the longest row, features of a step.
    inputs : int
        Inputs of the decoder (K).
    outputs : int
        Outputs of the encoder.
    hidden : sequence of int
        Units of the recurrent layers, one or more; the decoder's are in reverse order.
    activation : str
        Of the dense layer that receives the code; cells have their own.
    latent_activation : str
        After the last layer of the encoder.
    initializer : str
        See :data:`cuello.networks.layers.INITIALIZERS`; each gate's weights are filled by
        themselves.
    batch_norm : bool
        Not to be had: see the error.
    dropout : float
        Rate in [0, 1) after each recurrent layer.
    cell : str
        ``gru`` or ``lstm``.
    bidirectional : bool
        Whether each layer also reads from the end, with as many units again.

    Returns
    -------
    encoder, decoder : nn.Sequential
        One block each: stages in between would not undo one another.

    Raises
    ------
    InputError
        If rows are no sequences, or an option is not allowed.

    Examples
    --------
    >>> encoder, decoder = build((9, 2), 3, 3, hidden=(8, 4))
    >>> x = torch.zeros(5, 9, 2)
    >>> x[0, 4:] = torch.nan  # a row of 4 steps
    >>> decoder(encoder(x)).shape
    torch.Size([5, 9, 2])
    """
    _check(shape, hidden, cell, batch_norm=batch_norm)
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
    to_code = nn.Sequential(
        dense(reading[-1].outputs, outputs), activation_layer(latent_activation)
    )
    held = hidden[-1]
    from_code = nn.Sequential(dense(inputs, held), activation_layer(activation))
    writing = recurrent([held + 1, *reversed(hidden)])
    to_row = dense(writing[-1].outputs, features)
    return (
        nn.Sequential(Reader(reading, to_code, dropout)),
        nn.Sequential(Writer(from_code, writing, to_row, steps, dropout)),
    )


def _check(shape: tuple[int, ...], hidden: Sequence[int], cell: str, *, batch_norm: bool) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"network='sequence' cannot take rows of shape {shape}; rows must be (time, features) "
            "with 1 or more of each; use network='dense' for tables and 'conv' for images."
        )
    if not hidden:
        raise InputError("hidden=() has no recurrent layer; give the units of one or more: (64,).")
    if cell not in CELLS:
        raise unknown("cell", cell, CELLS)
    if batch_norm:
        raise InputError(
            "batch_norm=True cannot be used by network='sequence': a recurrent layer meets each "
            "step with another distribution, and short rows have no last steps; set "
            "batch_norm=False, and scaling='standard' for the features."
        )


def _layer(inputs: int, units: int, cell: str, name: str) -> nn.RNNBase:
    layer = CELLS[cell](inputs, units, batch_first=True)
    fill = initializer(name)
    if fill is not None:
        with torch.no_grad():
            for parameter in layer.parameters():
                for gate in torch.split(parameter, units):
                    if gate.ndim > 1:
                        fill(gate)
                    else:
                        fill_bias(gate, name)
    return layer


def _at(states: Tensor, step: Tensor) -> Tensor:
    """Pick one step (B,) of (B, T, U)."""
    index = step[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)
