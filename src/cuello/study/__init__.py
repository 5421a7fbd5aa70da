"""Studies: the effect of options, over values and seeds, as one table and one figure."""

from __future__ import annotations

from cuello.study.outcome import refit, run_study
from cuello.study.study import Study
from cuello.study.summary import Combination, Spread, best_of, spread
from cuello.study.trials import MEASURES, Trial, over, run_trials

__all__ = [
    "MEASURES",
    "Combination",
    "Spread",
    "Study",
    "Trial",
    "best_of",
    "over",
    "refit",
    "run_study",
    "run_trials",
    "spread",
]
