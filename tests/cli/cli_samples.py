"""A command in the test's own process, and data of a few rows to run it on."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cuello.cli import main

SMALL = ("--epochs", 2, "--hidden", 8, "--latent", 2)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line on standard error, with which a failed command ends."""
        return self.err.rstrip("\n").split("\n")[-1]


def run(folder: Path, *arguments: object) -> Outcome:
    """Run a command in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["cuello", *map(str, arguments)])
        patch.chdir(folder)
        with pytest.raises(SystemExit) as stop:
            main()
    return Outcome(int(stop.value.code or 0), out.getvalue(), err.getvalue())


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder, with what is in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def rows_of_three_classes(
    rows: int = 60, features: int = 6
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return X and y of three classes that overlap a little."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return (rng.normal(size=(rows, features)) + 2 * y[:, None]).astype(np.float32), y


def picture(side: int, seed: int) -> Image.Image:
    """Return 8x8 pixels, brighter in the left (0) or in the right (1) half."""
    pixels = np.random.default_rng(seed).integers(0, 100, (8, 8), dtype=np.uint8)
    pixels[:, 4 * side : 4 * side + 4] += 100
    return Image.fromarray(pixels)
