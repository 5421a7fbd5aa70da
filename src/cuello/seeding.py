"""Random numbers of PyTorch that follow from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seed_generators", "seeded"]


def seed_generators(seed: int) -> None:
    """Seed the generators of the processor and of every GPU in use."""
    # torch.manual_seed queues the seed, too, with a stack trace that takes a millisecond to format,
    # for each sort of device that was never used.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from the processor's generator as this seed has it, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
