"""Shared by all tests: one thread a worker, and the same examples in every run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

# The same examples in every run, and no deadline: time says nothing on a busy machine.
settings.register_profile("cuello", derandomize=True, deadline=None)
settings.load_profile("cuello")

# Two workers with two threads each would fight over two cores.
torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _short_maps() -> Iterator[None]:
    # Every run with more than two latents learns a map of its codes: seconds each.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.estimators.projection.STEPS", 20)
        patch.setattr("cuello.estimators.projection.EPOCHS", 1)
        yield
