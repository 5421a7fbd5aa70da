"""Tables of the lab ``few-labels``: accuracy, estimates of it, further labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cuello.study.summary import group, spread, values
from cuello.study.trials import Record
from cuello_labs._comparison import Published
from cuello_labs._few_label_methods import METHODS
from cuello_labs._few_label_pictures import interval_of
from cuello_labs.base import Table

__all__ = ["coverage", "tabulate_accuracies", "tabulate_bought", "tabulate_estimates"]


def coverage(records: Sequence[Record]) -> tuple[int, int]:
    """Return the number of intervals that hold the test accuracy, and the number of all.

    Examples
    --------
    >>> record = {"right": 90, "held_out": 100, "accuracy": 0.93}
    >>> coverage([record, record | {"accuracy": 0.99}, record | {"held_out": 0}])
    (1, 2)
    """
    pairs = [(interval_of(record), record["accuracy"]) for record in records]
    held = [i.low <= accuracy <= i.high for i, accuracy in pairs if i is not None]
    return sum(held), len(held)


def tabulate_accuracies(
    records: Sequence[Record],
    timed: int,
    published: Mapping[str, Mapping[int, Published]],
    students: tuple[int, float, float] | None,
) -> Table:
    """Return accuracies on test images by method and number of labels, and published ones.

    ``timed`` is the number of labels of which seconds are given; ``published`` and ``students``
    are test errors in %, as :func:`draw_errors` takes them.
    """
    cells = group(records, "method", "labels")
    counts = sorted({count for _, count in cells})
    rows: list[tuple[object, ...]] = []
    for name, method in METHODS.items():
        subset = [cells.get((name, count)) for count in counts]
        shown = [r and spread(100 * value for value in values(r, "accuracy")) for r in subset]
        seconds = spread(values(cells.get((name, timed), []), "seconds")).mean
        rows.append((method.label, *shown, f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"))
    for title, figures in published.items():
        texts = [_accuracy(figures.get(count)) for count in counts]
        rows.append((f"published: {title}", *texts, None))
    if students is not None:
        labelled, low, high = students
        texts = [f"{100 - high:.0f} to {100 - low:.0f}" if labelled == n else None for n in counts]
        rows.append(("published: students of a course", *texts, None))
    kept = Counter(r["by"] for r in records if r["options"]["method"].startswith("auto"))
    return Table(
        title="Accuracy on test images, in %",
        columns=(
            "method",
            *(f"{count:,} labels" for count in counts),
            f"seconds to fit, {timed} labels",
        ),
        rows=rows,
        note="Mean ± sd over draws of labels, each with another autoencoder and other weights; a "
        "single draw has no sd. All networks are dense but that of 'auto, convolutional'. Seconds "
        "are without the training of the autoencoder, which all methods of a draw share. Of its "
        f"auto kept {' and '.join(f'{name} in {n} fits' for name, n in kept.most_common())}.",
    )


def _accuracy(figure: Published | None) -> str | None:
    if figure is None:
        return None
    return f"{100 - figure.value:.2f}" + (f" ± {figure.sd:.2f}" if figure.sd else "")


def tabulate_estimates(records: Sequence[Record]) -> Table:
    """Return the error of estimates from labelled samples, and how often intervals hold."""
    cells = group([r for r in records if r["held_out"]], "method", "labels")
    counts = sorted({count for _, count in cells})
    rows = []
    for name, method in METHODS.items():
        subset = [cells.get((name, count), []) for count in counts]
        apart = [
            spread(100 * (r["estimate"] - r["accuracy"]) for r in part) if part else None
            for part in subset
        ]
        held, every = coverage([record for part in subset for record in part])
        rows.append((method.label, *apart, f"{held} of {every}"))
    return Table(
        title="Accuracy estimated from the labelled samples alone",
        columns=(
            "method",
            *(f"estimate less accuracy, {count:,} labels (points)" for count in counts),
            "95 % interval holds the accuracy",
        ),
        rows=rows,
        note="The estimate is the accuracy on folds of the labelled samples (cv_score_), of the "
        "best candidate where there are more; the interval (accuracy_interval) counts the same "
        "samples (held_out_scores_). Models of the folds have seen fewer labels, and those of "
        "mean_teacher, auto and ladder are trained for a shorter time: below 0 is caution, above 0 "
        "is not. With one label a class there are no folds.",
    )


def tabulate_bought(records: Sequence[Record]) -> Table:
    """Return the accuracy before and after further labels."""
    more = records[0]["options"]["more"]
    rows = []
    for (count,), subset in group(records, "labels").items():
        start, random, suggested = (
            [100 * value for value in values(subset, name)]
            for name in ("start", "random", "suggested")
        )
        gain = spread(b - a for a, b in zip(random, suggested, strict=True))
        rows.append((f"{count}", spread(start), spread(random), spread(suggested), gain))
    return Table(
        title=f"Gain of {more} suggested labels",
        columns=(
            "labels before",
            "accuracy before, %",
            f"{more} more labels, random",
            f"{more} more labels, suggested",
            "suggested less random (points)",
        ),
        rows=rows,
        note="A logistic regression on embeddings; random and suggested labels are added "
        "to those of the same draw, and the last column is of pairs.",
    )
