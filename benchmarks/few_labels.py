"""Error on test images with few labels, beside targets: MNIST and Fashion-MNIST.

The network that ``method="auto"`` keeps there, trained with nothing held out (``cv=0``): folds only
evaluate it. One thread, so that the figures are the same on every number of cores. The test split
is used once for each training, and nothing is chosen by it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.data.dataset import UNLABELLED
from cuello_labs._few_label_methods import draw_labelled
from cuello_labs._images import images

__all__ = ["CASES", "Case", "error", "run"]

DRAWS = 5


@dataclass(frozen=True)
class Case:
    """A set, a network, a number of labels, and the target: the largest error in %."""

    data: str
    network: str
    labels: int
    target: float


CASES = (
    Case("mnist", "dense", 100, 1.5),
    Case("mnist", "dense", 300, 1.1),
    Case("mnist", "dense", 1000, 1.0),
    Case("mnist", "conv", 100, 1.0),
    Case("mnist", "conv", 300, 0.7),
    Case("mnist", "conv", 1000, 0.6),
    Case("fashion-mnist", "conv", 300, 16.0),
)


def run(settings: Settings) -> Result:
    """Measure: some four hours on one thread."""
    rows: list[tuple[object, ...]] = []
    bars = []
    for case in CASES:
        try:
            cuello.load(case.data, offline=True)
        except cuello.DataError:
            return Result(name="few_labels", columns=(), rows=[], notes=[f"needs {case.data}."])
        draws = 1 if settings.quick else DRAWS
        measured = [error(case, seed, quick=settings.quick) for seed in range(draws)]
        errors, seconds = np.array(measured).T
        sd = float(errors.std(ddof=1)) if len(errors) > 1 else float("nan")
        what = f"{case.data}, {case.network}, {case.labels} labels"
        each = ", ".join(f"{value:.2f}" for value in errors)
        rows.append((what, f"{errors.mean():.2f} ± {sd:.2f}", each, f"{seconds.min():.0f}"))
        bars.append(
            Bar(
                what=f"error in %, {what}",
                value=float(errors.mean()),
                target=f"at most {case.target}",
                met=bool(errors.mean() <= case.target),
            )
        )
    return Result(
        name="few_labels",
        columns=("data, network, labels", "test error, %", "each draw", "seconds"),
        rows=rows,
        bars=bars,
        notes=[f"{DRAWS} draws of labels, each with weights of its own; one thread"],
    )


def error(case: Case, seed: int, *, quick: bool = False) -> tuple[float, float]:
    """Return the test error in % of one draw of labels, and the seconds to fit."""
    torch.set_num_threads(1)
    data = images(case.data)
    labelled = draw_labelled(data, case.labels, seed)
    y = np.full_like(data.y, UNLABELLED)
    y[labelled] = data.y[labelled]
    model = cuello.FewLabelClassifier(
        method="mean_teacher",
        cv=0,
        method_options={"network": case.network} | ({"steps": 2} if quick else {}),
        random_state=seed,
    )
    started = time.perf_counter()
    model.fit(data.X, y)
    seconds = time.perf_counter() - started
    return 100 * float((model.predict(data.X_test) != data.y_test).mean()), seconds
