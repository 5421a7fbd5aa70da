"""Measure the step of Muon in both formats: bfloat16 where it is native, otherwise float32."""

from __future__ import annotations

from unittest import mock

import torch

from benchmarks.timing import Result, Settings, alternate, timed
from cuello.train import muon

__all__ = ["run"]

_SHAPES = ((64, 288), (128, 576), (256, 3136))


def run(settings: Settings) -> Result:
    """Measure."""
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = []
    for shape in _SHAPES[:1] if settings.quick else _SHAPES:
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))

        def step(native: bool, matrix: torch.Tensor = matrix) -> None:
            with mock.patch.object(muon, "native_bf16", return_value=native):
                muon.orthogonal(matrix)

        formats = {"bfloat16": timed(lambda: step(True)), "float32": timed(lambda: step(False))}
        taken = {name: 1000.0 * min(s) for name, s in alternate(formats, settings.rounds).items()}
        ratio = taken["bfloat16"] / taken["float32"]
        rows.append((f"{shape[0]} x {shape[1]}", *taken.values(), ratio))
    return Result(
        name="muon",
        columns=("matrix", "bfloat16, ms", "float32, ms", "bfloat16 / float32"),
        rows=rows,
        notes=["One thread; the orthogonal step of one weight matrix."],
    )
