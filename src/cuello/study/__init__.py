"""Studies: what an option does, over values and seeds, as one table and one figure."""

from __future__ import annotations

from cuello.study.combinations import Combination, best_of
from cuello.study.outcome import refit, run_study
from cuello.study.study import MEASURES, Study
from cuello.study.summary import Spread, spread
from cuello.study.trials import Trial, over, run_trials

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
