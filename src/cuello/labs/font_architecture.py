"""Deeper networks reconstruct the 7x5 characters better."""

from __future__ import annotations

from cuello.labs._font import ONLINE_TOLD, characters, fit_trials
from cuello.labs.base import Findings, Lab, Picture, Table
from cuello.study.figures import Published, compare
from cuello.study.summary import group, spread, values
from cuello.study.trials import Ran, Record, Trial, over

# Layers between input and code -> published error; mean and sd of the authors' program, 10 seeds.
PUBLISHED = {
    (): (0.526, 0.543, 0.027),
    (20,): (0.383, 0.429, 0.057),
    (20, 10): (0.293, 0.308, 0.043),
}
AUTHORS_SEEDS = 10


def trials(quick: bool) -> list[Trial]:
    """Return 30 seeds of each network; 3 of a tenth of the epochs where it must be quick."""
    settings = [{"hidden": list(hidden)} for hidden in PUBLISHED]
    return over(3, settings, epochs=100) if quick else over(30, settings, epochs=1000)


def run(missing: list[Trial]) -> Ran:
    """Train on all 32 characters."""
    rows, _ = characters()
    yield from fit_trials(missing, rows)


def show(records: list[Record]) -> Findings:
    """Compare with the published errors, and with those of the authors' program."""
    rows, ours, published = [], {}, {}
    for (hidden,), own in group(records, "hidden").items():
        label = network_name(hidden)
        there, mean, sd = PUBLISHED[hidden]
        error = spread(values(own, "error"))
        off = error.mean - mean
        allowed = 2 * (error.standard_error**2 + sd**2 / AUTHORS_SEEDS) ** 0.5
        ours[label], published[label] = error, Published(there)
        rows.append(
            (
                label,
                there,
                f"{mean} ± {sd}",
                error,
                error.count,
                "yes" if abs(off) <= allowed else "no",
                spread(values(own, "wrong_mean")),
                spread(values(own, "wrong_max")),
            )
        )
    means = [error.mean for error in ours.values()]
    holds = means == sorted(means, reverse=True)
    listed = ", ".join(f"{error.mean:.3f} ± {error.sd:.3f} ({k})" for k, error in ours.items())
    return Findings(
        holds=holds,
        verdict=f"Errors {'fall' if holds else 'do not fall'} with depth: {listed}, means and "
        "standard deviations over seeds.",
        tables=[
            Table(
                title="Error after training",
                columns=(
                    "network",
                    "published",
                    "authors' program, 10 seeds",
                    "ours",
                    "seeds",
                    "within 2 standard errors",
                    "wrong pixels of 35, mean",
                    "of the worst character",
                ),
                rows=rows,
                note="The published figures are single runs. Standard errors are of the difference "
                "between our mean and that of the authors' program.",
            )
        ],
        pictures=[
            Picture(
                name="errors",
                caption="Mean squared error of the three networks, published and ours: deeper ones "
                "have smaller errors.",
                figure=compare(
                    ours, unit="mean squared error per pixel, -1/+1 coding", published=published
                ),
            )
        ],
    )


def network_name(hidden: tuple[int, ...]) -> str:
    """Return the layers from the input to the output.

    Examples
    --------
    >>> network_name((20,))
    '35-20-2-20-35'
    """
    return "-".join(map(str, (35, *hidden, 2, *reversed(hidden), 35)))


LAB = Lab(
    name="font-architecture",
    title="Architecture and the 7x5 characters",
    claim="Of three networks trained for 1000 epochs, the deeper has the smaller error: 0.526 for "
    "35-2-35, 0.383 for 35-20-2-20-35, 0.293 for 35-20-10-2-10-20-35.",
    source="course deck 'TP5: Autoencoders'",
    protocol={**ONLINE_TOLD, "epochs": "1000", "seeds": "30 a network"},
    trials=trials,
    run=run,
    show=show,
)
