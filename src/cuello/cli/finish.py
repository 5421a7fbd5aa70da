"""How `cuello fit` ends: with results, or with how to continue."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cuello.cli.console import Bars, complain, out, table_of_methods

if TYPE_CHECKING:
    from cuello.run.folder import RunFolder

__all__ = ["finish"]


def finish(where: Path, work: Callable[[Bars], RunFolder]) -> None:
    """Do the work with progress bars, and say what came of it or how to continue."""
    try:
        with Bars() as bars:
            folder = work(bars)
    except KeyboardInterrupt:
        if _is_running(where):
            text = f"interrupted; continue with: cuello fit --resume {shlex.quote(str(where))}"
        else:
            text = "interrupted before training started; nothing was written."
        sys.exit(complain(text, 130))
    metrics = folder.metrics()
    for note in folder.config()["notes"]:
        out.print(f"note: {note}", soft_wrap=True)
    if metrics["few_labels"]:
        out.print(table_of_methods(metrics))
    reconstruction, timing = metrics["reconstruction"], metrics["timing"]
    out.print(
        f"test MSE {reconstruction['test_mse']:.5f} with {reconstruction['latent_dim']} latents; "
        f"PCA with {reconstruction['pca_components']} components "
        f"{reconstruction['pca_test_mse']:.5f}"
    )
    out.print(
        f"{timing['epochs']} epochs in {timing['train_seconds']:.1f} s "
        f"({timing['rows_per_second']:,.0f} rows/s), {timing['total_seconds']:.1f} s in all"
    )
    out.print(f"report: {folder.report}", soft_wrap=True)


def _is_running(where: Path) -> bool:
    from cuello.errors import RunError
    from cuello.run.folder import RunFolder

    try:
        return bool(RunFolder(where).config()["status"] == "running")
    except RunError:
        return False
