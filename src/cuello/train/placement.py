"""Where a model is trained, and in which number format its matrix products are taken."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from cuello.errors import InputError

__all__ = ["Placement", "place"]

# Below this many weights in the largest layer, converting to bfloat16 and back costs more than
# the faster product saves (benchmarks/precision.py measures it).
_BF16_PAYS_FROM = 64 * 1024


@dataclass(frozen=True)
class Placement:
    """A device and whether bfloat16 is used on it."""

    device: torch.device
    bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which losses are computed."""
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def place(device: str, precision: str, model: nn.Module) -> Placement:
    """Choose a device and a precision.

    ``auto`` takes a GPU if there is one, and bfloat16 where the processor computes it natively and
    the model is large enough to gain from it. The choice follows from machine and model alone, so
    that the same seed gives the same weights.

    Raises
    ------
    InputError
        If the device does not exist here.
    """
    chosen = _device(device)
    if precision == "auto":
        largest = max((p.numel() for p in model.parameters()), default=0)
        bf16 = _native_bf16(chosen) and largest >= _BF16_PAYS_FROM
    else:
        bf16 = precision == "bf16"
    return Placement(chosen, bf16)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device={name!r} cannot be used on this machine ({reason}); use 'auto' or 'cpu'."
        ) from None
    return device


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False
