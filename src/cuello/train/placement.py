"""Where a model is trained, on how many threads, and in which number format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from cuello.errors import InputError
from cuello.networks import multiplications

__all__ = ["Placement", "choose_placement", "native_bf16"]

# Multiplications in a pass over a batch (samples times weights, times the pixels or time steps that
# share them) from which a step is large. Below it, converting to bfloat16 and back costs more than
# the faster product saves, and threads wait for one another longer than they compute: several times
# longer where they share the processor with other programs. `python -m benchmarks precision`
# measures both.
_LARGE_STEP = 64 * 1024**2


@dataclass(frozen=True)
class Placement:
    """Hold a device, whether bfloat16 is used on it, and the number of threads."""

    device: torch.device
    bf16: bool
    threads: int

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which losses are computed."""
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    @contextmanager
    def limit_threads(self) -> Iterator[None]:
        """Compute on this many threads, and on as many as before afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def choose_placement(device: str, precision: str, batch_size: int, model: nn.Module) -> Placement:
    """Choose a device, a precision and a number of threads.

    ``auto`` takes a GPU if there is one, and for large steps bfloat16 where the processor computes
    it natively, and several threads. The choice follows from machine, model and batch size alone,
    so that the same seed gives the same weights.

    Raises
    ------
    InputError
        If the device does not exist here.
    """
    chosen = _choose_device(device)
    large = batch_size * multiplications(model) >= _LARGE_STEP
    bf16 = large and native_bf16(chosen) if precision == "auto" else precision == "bf16"
    return Placement(chosen, bf16, torch.get_num_threads() if large else 1)


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"cannot be used on this machine ({reason})",
            argument="device",
            value=name,
            remedy="use 'auto' or 'cpu'",
        ) from None
    return device


def native_bf16(device: torch.device) -> bool:
    """Return whether a device computes products in bfloat16 itself: emulated, they are slow."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False
