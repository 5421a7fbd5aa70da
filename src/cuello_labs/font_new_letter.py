"""Decoded points between embeddings, and the reconstruction of an unseen character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.study.figures import new
from cuello.study.summary import Spread, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._comparison import Published, compare
from cuello_labs._font import (
    DECK,
    ONLINE_TEXT,
    Trained,
    characters,
    fit_trials,
    mean_error,
    nearest,
    network_name,
)
from cuello_labs._font_pictures import picture_table
from cuello_labs._image_grids import draw_latent_grid, latent_scatter
from cuello_labs.base import Findings, Lab, Picture, Table

HIDDEN = (20, 10)
DIGIT = "3"
PUBLISHED = 0.66
TRACES = ("S", "O", "A")
"""Characters that its authors see in the output; the nearest to their zero is an O."""
STEPS = 9
LINES = (("S", "O"), ("A", "H"), ("E", "F"), ("I", "T"))
SIDE = 15
"""Points of the latent grid a side."""
AROUND = 0.1
"""Distance of the decoded points around an embedding, in a latent plane of -1..1."""

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return 30 seeds over 1000 epochs; 3 over 60 where it must be quick."""
    return over(3 if quick else 30, [{"hidden": list(HIDDEN)}], epochs=60 if quick else 1000)


def run(missing: list[Trial]) -> Ran:
    """Train on the 32 characters; decode the latent plane, and reconstruct the digits."""
    X, names = characters()
    digits, digit_names = characters(charset="digits")

    def measure(trained: Trained, trial: Trial) -> dict[str, Any]:
        embeddings = trained.embeddings(X)
        output = trained.reconstruct(digits)
        three = digit_names.index(DIGIT)
        indices, pixels = nearest(X, output[three : three + 1])
        result = {
            "error": mean_error(X, trained.reconstruct(X)),
            "digit_error": mean_error(digits[three], output[three]),
            "digits_error": mean_error(digits, output),
            "output": np.round(output[three], 2).tolist(),
            "like": names[indices[0]],
            "like_pixels": int(pixels[0]),
            "at_embeddings": float(nearest(X, trained.decode(embeddings))[1].mean()),
            "between": float(nearest(X, trained.decode(between(embeddings)))[1].mean()),
            "around": float(nearest(X, trained.decode(around(embeddings)))[1].mean()),
        }
        if trial.seed == 0:
            pairs = [(embeddings[names.index(a)], embeddings[names.index(b)]) for a, b in LINES]
            share = np.linspace(0, 1, STEPS)[:, None]
            line = np.concatenate([(1 - share) * a + share * b for a, b in pairs])
            result |= {
                "embeddings": np.round(embeddings, 3).tolist(),
                "digit_embedding": np.round(trained.embeddings(digits)[three], 3).tolist(),
                "lines": np.round(trained.decode(line.astype(np.float32)), 1).tolist(),
                "plane": np.round(trained.decode(grid()), 1).tolist(),
            }
        return result

    yield from fit_trials(missing, X, measure)


def grid() -> Array:
    """Return the points (SIDE * SIDE, 2) of an even grid over [-1, 1]², the smallest y first."""
    side = np.linspace(-1, 1, SIDE, dtype=np.float32)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def between(embeddings: Array) -> Array:
    """Return the point (n, 2) halfway from each embedding to the embedding nearest to it.

    Examples
    --------
    >>> between(np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]))[:, 0]
    array([0.5, 0.5, 2. ])
    """
    apart = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    middle: Array = (embeddings + embeddings[apart.argmin(axis=1)]) / 2
    return middle


def around(embeddings: Array) -> Array:
    """Return eight points (8 n, 2) in a circle around each embedding, inside -1..1."""
    angle = np.arange(8) * np.pi / 4
    circle = AROUND * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = (embeddings[:, None] + circle[None]).reshape(-1, 2)
    return np.clip(points, -1, 1).astype(np.float32)


def baselines() -> dict[str, float]:
    """Return the error of the digit for methods without a network."""
    from sklearn.decomposition import PCA

    X, _ = characters()
    digit, _ = characters(DIGIT, charset="digits")
    pca = PCA(2).fit(X)
    return {
        "PCA, 2 components": mean_error(digit, pca.inverse_transform(pca.transform(digit))),
        "the mean of the 32 characters": mean_error(digit, X.mean(axis=0)),
        "the nearest of the 32 characters": mean_error(digit, X[nearest(X, digit)[0]]),
    }


def show(records: list[Record]) -> Findings:
    """Compare the error of the digit with those of characters that were trained on."""
    finished = [record for record in records if not record["diverged"]]
    seen, unseen = spread(values(finished, "error")), spread(values(finished, "digit_error"))
    gap = spread(
        b - a
        for a, b in zip(values(finished, "error"), values(finished, "digit_error"), strict=True)
    )
    holds, text = verdict(seen, unseen, gap, Counter(record["like"] for record in finished))
    every = spread(values(finished, "digits_error"))
    without = baselines()
    errors = {
        "the 32 characters trained on": seen,
        f"the digit {DIGIT}, never seen": unseen,
        "all ten digits, never seen": every,
    }
    rows: list[tuple[object, ...]] = [
        (label, PUBLISHED if value is unseen else None, value) for label, value in errors.items()
    ]
    rows += [(f"the digit {DIGIT} by {label}", None, error) for label, error in without.items()]
    return Findings(
        holds=holds,
        verdict=text,
        tables=[
            Table(
                title=f"Error of {network_name(HIDDEN)}, and of methods without a network",
                columns=("samples", "published", "error"),
                rows=rows,
                note=f"Mean and standard deviation over {len(finished)} seeds.",
            ),
            Table(
                title="Distance of decoded points to the nearest of the 32 characters",
                columns=("points", "pixels of 35 that differ"),
                rows=[
                    ("embeddings of the 32 characters", spread(values(finished, "at_embeddings"))),
                    (
                        f"around an embedding, at a distance of {AROUND}",
                        spread(values(finished, "around")),
                    ),
                    ("halfway to the nearest embedding", spread(values(finished, "between"))),
                    (f"output for the digit {DIGIT}", spread(values(finished, "like_pixels"))),
                ],
                note="The mean over points of each network, then over seeds.",
            ),
        ],
        pictures=_pictures(finished, errors) if finished else [],
    )


def verdict(
    seen: Spread, unseen: Spread, gap: Spread, like: Counter[str]
) -> tuple[bool | None, str]:
    """Return whether the unseen digit is reconstructed worse than characters trained on."""
    if gap.count < 2:
        return None, "Too few trainings finished to tell."
    holds = gap.mean > 0 if abs(gap.mean) > 2 * gap.standard_error else None
    compared = "cannot be told from"
    if holds is not None:
        compared = f"is {'' if holds else 'not '}reconstructed worse than"
    off = abs(unseen.mean - PUBLISHED)
    beside = "within" if off <= 2 * unseen.sd else "outside"
    named = ", ".join(f"{name} ({count})" for name, count in like.most_common(4))
    traces = sum(like[name] for name in TRACES)
    return holds, (
        f"The digit {DIGIT}, never seen, {compared} the characters trained on: error {unseen} "
        f"against {seen} over {unseen.count} seeds, the published {PUBLISHED} being {beside} two "
        f"standard deviations of ours; outputs are most like {named}, and {traces} of "
        f"{like.total()} like one of {', '.join(TRACES)}."
    )


def _pictures(records: Sequence[Record], errors: dict[str, Spread]) -> list[Picture]:
    published = {f"the digit {DIGIT}, never seen": Published(PUBLISHED)}
    pictures = [
        Picture(
            name="errors",
            caption=f"Error of characters trained on, of the digit {DIGIT} and of all digits.",
            figure=compare(
                errors, unit="mean squared error per pixel, values -1/+1", published=published
            ),
        ),
        _digit_picture(records),
    ]
    first = next((record for record in records if "plane" in record), None)
    return pictures if first is None else [*pictures, _lines_picture(first), _latent_picture(first)]


def _digit_picture(records: Sequence[Record]) -> Picture:
    X, names = characters()
    digit, _ = characters(DIGIT, charset="digits")
    shown = records[:10]
    outputs = np.array([record["output"] for record in shown])
    alike = X[[names.index(record["like"]) for record in shown]]
    images = [np.repeat(digit, len(shown), axis=0), outputs, np.sign(outputs), alike]
    labels = ["input", "output", "thresholded", "nearest"]
    with new(height=4.6) as (figure, axes):
        columns = [f"{record['seed']}" for record in shown]
        picture_table(axes, np.concatenate(images), columns, labels, x="seed")
    caption = (
        f"The digit {DIGIT} given to networks that never saw it, one a column: input, output, "
        "output after thresholding, and the nearest of the characters trained on."
    )
    return Picture(name="digit", caption=caption, figure=figure)


def _lines_picture(record: Record) -> Picture:
    with new(height=4.6) as (figure, axes):
        picture_table(
            axes,
            np.array(record["lines"]),
            [f"{share:.0%}" for share in np.linspace(0, 1, STEPS)],
            [f"{a} to {b}" for a, b in LINES],
            x="weight of the second embedding",
        )
    return Picture(
        name="lines",
        caption="Interpolation between two embeddings, decoded (seed 0).",
        figure=figure,
    )


def _latent_picture(record: Record) -> Picture:
    _, names = characters()
    side = np.linspace(-1, 1, SIDE).tolist()
    with new(2, width=11.0, height=6.2) as (figure, (left, right)):
        latent_scatter(left, np.array(record["embeddings"]), names)
        left.plot(*record["digit_embedding"], "D", color="#d55e00", markerfacecolor="white")
        left.annotate(
            f"digit {DIGIT}",
            record["digit_embedding"],
            xytext=(8, 8),
            textcoords="offset points",
            color="#d55e00",
        )
        left.set(title="embeddings of the 32 characters", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
        draw_latent_grid(
            right, np.array(record["plane"]).reshape(-1, 7, 5), side, side, low=-1, high=1, gap=1
        )
        right.set_title("decoded points of the same latent plane")
    return Picture(
        name="plane",
        caption=f"The latent plane (seed 0): embeddings, the digit {DIGIT} among them, and decoded "
        "points between and around them.",
        figure=figure,
    )


LAB = Lab(
    name="font-new-letter",
    title="A letter that was never seen",
    claim="Points between and around the embeddings decode to mixtures; the digit 3, never seen, "
    "is reconstructed with an error of 0.66 and traces of S, 0 and A, for the latent space lacks "
    "information.",
    source=DECK,
    protocol={
        **ONLINE_TEXT,
        "layers": network_name(HIDDEN),
        "epochs": "1000",
        "seeds": "30",
    },
    trials=trials,
    run=run,
    show=show,
)
