"""Many small dense networks of one shape at once, their steps compiled into one function.

A step on one row of a network of a thousand weights takes a microsecond of arithmetic, and PyTorch
some two hundred to arrange.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import InputError, unknown
from cuello_labs.kernels.supported import ACTIVATIONS, OPTIMIZERS

__all__ = ["available", "train_compiled"]

_ROWS_A_CALL = 20_000  # between two looks at whether to stop: a tenth of a second

Float32 = npt.NDArray[np.float32]


def available() -> bool:
    """Return whether numba is installed, without importing it."""
    return importlib.util.find_spec("numba") is not None


def train_compiled(
    weights: Float32,
    velocity: Float32,
    squares: Float32 | None = None,
    *,
    sizes: Sequence[int],
    activations: Sequence[str],
    rows: Float32,
    targets: Float32,
    order: npt.NDArray[np.int32],
    epochs: int,
    rates: Float32,
    factors: Float32,
    momentum: Float32,
    weight_decay: Float32,
    scale: float,
    bounds: Sequence[int] | None = None,
    optimizer: str = "sgd",
    steps_before: int = 0,
    threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Train N networks on the same rows, with the results of PyTorch's own steps.

    Parameters
    ----------
    weights : (N, P) float32
        The P parameters of each network in PyTorch's order: for every layer the weights
        (out, in), row by row, and then the biases. Changed in place.
    velocity : (N, P) float32
        Momentum buffers (running means of gradients in Adam), zeros at the start. Changed in
        place: epochs can be split over calls.
    squares : (N, P) float32 or None
        Running means of squared gradients, for all optimizers but ``sgd``. Changed in place.
    sizes : sequence of int
        Units of the D inputs, of every layer, and of the D outputs.
    activations : sequence of str
        One of ``ACTIVATIONS`` for each layer, the last one included.
    rows, targets : (n, D) float32
        What goes in, and what should come out.
    order : (N, epochs, n) or (N, 1, n) int32
        The rows that each network takes one after another in each epoch, or in all of them.
    epochs : int
        Passes over the rows.
    rates : (N,) float32
        Learning rate of each network.
    factors : (epochs steps,) float32
        What the rates of all networks are multiplied by at each step.
    momentum, weight_decay : (N,) float32
        Of each network, as in ``torch.optim``: no dampening; decay is added to the gradient, but in
        ``adamw`` taken from the weights.
    scale : float
        The loss of a row is this times the sum of its squared errors; that of a step the mean.
    bounds : sequence of int or None
        Where in an epoch each step's rows begin, and n; None: every row is a step.
    optimizer : str
        One of ``OPTIMIZERS``.
    steps_before : int
        Steps of earlier calls, which Adam's means remember.
    threads : int or None
        How many groups of networks are trained at the same time; None takes every core.

    Returns
    -------
    (N, epochs) float64
        Mean loss of the rows over each epoch, each row's taken before the step on it. A network
        that diverges has a NaN or an infinity here from then on; the others do not notice.

    Raises
    ------
    InputError
        If shapes do not agree, an activation is not known, or a row is not there.

    Notes
    -----
    When interrupted, a network is either trained over all epochs or as it was before.

    Examples
    --------
    >>> one = np.ones(1, dtype=np.float32)
    >>> weights = np.zeros((1, 2), dtype=np.float32)  # y = w x + b
    >>> train_compiled(
    ...     weights, np.zeros_like(weights), sizes=(1, 1), activations=["identity"],
    ...     rows=one[:, None], targets=one[:, None], order=np.zeros((1, 1, 1), dtype=np.int32),
    ...     epochs=1, rates=one / 10, factors=one, momentum=one, weight_decay=0 * one, scale=1.0,
    ... )
    array([[1.]])
    >>> weights
    array([[0.2, 0.2]], dtype=float32)
    """
    codes = [ACTIVATIONS.index(name) if name in ACTIVATIONS else -1 for name in activations]
    if -1 in codes:
        raise unknown("activation", activations[codes.index(-1)], ACTIVATIONS)
    if optimizer not in OPTIMIZERS:
        raise unknown("optimizer", optimizer, OPTIMIZERS)
    networks, n = len(weights), len(rows)
    if len(sizes) < 2 or min(sizes) < 1 or len(codes) != len(sizes) - 1:
        raise InputError(f"sizes={tuple(sizes)!r} and {len(codes)} activations make no network.")
    cuts = np.arange(n + 1) if bounds is None else np.array(bounds)
    if cuts[0] != 0 or cuts[-1] != n or (np.diff(cuts) < 1).any():
        raise InputError(f"bounds={cuts.tolist()!r} do not cut {n} rows into steps.")
    squares = np.zeros_like(velocity) if squares is None else squares
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    orders = order.shape[1] if order.ndim == 3 and order.shape[1] == 1 else epochs
    _check_shapes(
        ("weights", weights, (networks, parameters)),
        ("velocity", velocity, (networks, parameters)),
        ("squares", squares, (networks, parameters)),
        ("rows", rows, (n, sizes[0])),
        ("targets", targets, (n, sizes[-1])),
        ("targets", targets, rows.shape),
        ("order", order, (networks, orders, n)),
        ("rates", rates, (networks,)),
        ("factors", factors, (epochs * (len(cuts) - 1),)),
        ("momentum", momentum, (networks,)),
        ("weight_decay", weight_decay, (networks,)),
    )
    if order.size and not 0 <= order.min() <= order.max() < n:
        raise InputError(f"order has rows from {order.min()} to {order.max()}, not 0 to {n - 1}.")
    losses = np.zeros((networks, epochs))
    if networks == 0 or n == 0:
        return losses
    shared = {
        "rows": _plain(rows, np.float32).reshape(-1),
        "targets": _plain(targets, np.float32).reshape(-1),
        "factors": _plain(factors, np.float32),
        "sizes": np.array(sizes, dtype=np.int64),
        "codes": np.array(codes, dtype=np.int64),
        "bounds": cuts.astype(np.int64),
        "rule": OPTIMIZERS.index(optimizer),
        "scale": float(scale),
        "before": int(steps_before),
    }
    each = {"rates": rates, "momenta": momentum, "decays": weight_decay}
    state = (weights, velocity, squares)
    _train_groups(state, shared, each, order, losses, threads or _cores())
    return losses


def _check_shapes(*arrays: tuple[str, npt.NDArray[Any], tuple[int, ...]]) -> None:
    for name, array, shape in arrays:
        if array.shape != shape:
            raise InputError(f"{name} has shape {array.shape}, not {shape}.")


def _train_groups(
    state: tuple[Float32, Float32, Float32],
    shared: dict[str, Any],
    each: dict[str, Float32],
    order: npt.NDArray[np.int32],
    losses: npt.NDArray[np.float64],
    threads: int,
) -> None:
    """Train networks in groups of as many as a vector has lanes; ``each`` has a number for each."""
    from cuello_labs.kernels.rows import LANES, train_group

    networks, epochs = losses.shape
    units, epochs_a_call = int(sum(shared["sizes"])), max(1, _ROWS_A_CALL // order.shape[-1])
    stop = threading.Event()

    def train_some(first: int) -> None:
        here = slice(first, min(first + LANES, networks))
        here_state = [array[here] for array in state]
        group = _Group(here_state, units, LANES)
        arguments = shared | group.buffers
        arguments |= {name: _filled_up(values[here], LANES) for name, values in each.items()}
        arguments |= {"order": _plain(order[here], np.int32), "losses": losses[here]}
        for start in range(0, epochs, epochs_a_call):
            if stop.is_set():
                return
            train_group(**arguments, first=start, last=min(start + epochs_a_call, epochs))
        for array, trained in zip(here_state, group.state(), strict=True):
            array[:] = trained

    # Threads of Python are enough, as the compiled code does without the interpreter's lock: they
    # have no quarrel with the threads of PyTorch, and can be interrupted.
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(train_some, range(0, networks, LANES)):
                pass
        finally:
            stop.set()


class _Group:
    """Networks side by side: what is the same in all of them lies together."""

    def __init__(self, state: Sequence[Float32], units: int, lanes: int) -> None:
        self.networks, parameters = state[0].shape
        self.shape = (parameters, lanes)
        self.buffers: dict[str, Any] = {
            name: _aligned(parameters * lanes)
            for name in ("weights", "velocity", "squares", "gradients")
        }
        self.buffers |= {
            "values": _aligned(units * lanes),
            "slopes": _aligned(units * lanes),
            "totals": np.zeros(lanes),
            "starts": np.zeros(lanes, dtype=np.int64),
        }
        for view, array in zip(self.state(), state, strict=True):
            view[:] = array

    def state(self) -> list[Float32]:
        """Return views of weights, velocity and squares, (networks, parameters)."""
        names = ("weights", "velocity", "squares")
        return [self.buffers[name].reshape(self.shape)[:, : self.networks].T for name in names]


def _aligned(length: int) -> Float32:
    """Return zeros that begin at a cache line: vectors that straddle two take twice as long."""
    line = 64 // 4
    raw = np.zeros(length + line, dtype=np.float32)
    skipped = -(raw.ctypes.data // 4) % line
    return raw[skipped : skipped + length]


def _filled_up(values: Float32, lanes: int) -> Float32:
    """Return one number a lane, 0 where there is no network."""
    return np.pad(np.asarray(values, dtype=np.float32), (0, lanes - len(values)))


def _plain(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=dtype)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: those that this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
