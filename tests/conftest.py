"""Shared by all tests: one thread a worker, and the same examples in every run."""

from __future__ import annotations

import torch
from hypothesis import settings

# The same examples in every run, and no deadline: time says nothing on a busy machine.
settings.register_profile("cuello", derandomize=True, deadline=None)
settings.load_profile("cuello")

# Two workers with two threads each would fight over two cores.
torch.set_num_threads(1)
