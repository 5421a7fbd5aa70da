"""A study: options of an autoencoder that vary, seeds, and what is measured of each trial."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sklearn.neighbors import KNeighborsClassifier

from cuello import kinds, networks
from cuello.arrays import Array, Codes
from cuello.data import UNLABELLED
from cuello.errors import InputError, Use, unknown
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello.metrics import sample_errors
from cuello.run import Job
from cuello.run.examples import unit_width
from cuello.run.job import check_labels
from cuello.run.prepare import Prepared, prepare
from cuello.study.space import SearchRange
from cuello.study.trials import Ran, Trial, over

__all__ = ["MEASURES", "Study", "estimator_options"]

MEASURES = {
    "validation_mse": "mean squared error of validation rows, data in 0..1",
    "test_mse": "mean squared error of test rows, data in 0..1",
    "train_mse": "mean squared error of training rows, data in 0..1",
    "validation_loss": "what was minimised, on validation rows",
    "knn_accuracy": "share of validation rows whose class the 5 nearest training codes tell",
    "seconds": "training time, s",
}
"""Measures of a trial, each with its unit."""

_HIGHER_IS_BETTER = ("knn_accuracy",)
_MOST_NEIGHBOURS = 10_000  # training rows that the 5 nearest are looked for among
_NOT_OPTIONS = ("random_state", "kind_options", "network_options", "encoder", "decoder")


@dataclass(frozen=True, kw_only=True)
class Study:
    """Options that vary, those that do not, seeds, and the measure.

    Parameters
    ----------
    data : str
        A named set or a path; see :func:`cuello.load`.
    options : mapping
        Options of :class:`cuello.Autoencoder` that all trials have; those of the kind and of the
        network go beside them by their own names (``noise_level``).
    grid : mapping of str to sequence
        Values of the options that vary: every combination is tried.
    search : mapping of str to SearchRange or sequence
        Instead of a grid: where to look for the best, see :class:`cuello.study.search`.
    seeds : int
        Seeds of each combination (of each trial of a search).
    trials : int
        Of a search.
    measure : str
        One of :data:`MEASURES`: what table and figure show, and what a search improves.
    labels : str or None
        For kinds that need classes: how many labels are known, or ``all``.
    validation, test : float
        Shares of the rows; ``test`` only where the set has no official test split.
    split_seed : int
        Decides which rows those are: the same for all trials.
    """

    data: str
    options: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    trials: int = 50
    measure: str = "validation_mse"
    labels: str | None = None
    validation: float = 0.1
    test: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        if bool(self.grid) == bool(self.search):
            raise InputError(
                "a study needs either grid (every combination of some values) or search (ranges to "
                f"look in); this one has {'both' if self.grid else 'neither'}."
            )
        for name, found in self.grid.items():
            if not isinstance(found, list | tuple) or not found:
                raise InputError(
                    f"grid: {name}={found!r} must be a list of one value or more, such as "
                    f"{name} = [0.1, 0.01]"
                )
        for name in ("seeds", "trials"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise InputError(
                    argument=name, value=getattr(self, name), allowed="a whole number from 1 on"
                )
        if self.measure not in MEASURES:
            raise unknown("measure", self.measure, MEASURES)
        if self.search and self.measure.startswith("test"):
            raise InputError(
                "would choose on the test rows, which then say nothing about new ones",
                argument="measure",
                value=self.measure,
                remedy=[Use("measure", "validation_mse"), "; test rows are measured beside it"],
            )
        both = set(self.options) & {*self.grid, *self.search}
        if both:
            raise InputError(f"{min(both)} cannot be both fixed (options) and varied; drop one")
        for settings in self.settings() if self.grid else [self.example()]:
            estimator_options({**self.options, **settings})

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Study:
        """Build a study from plain values, such as those of a TOML file.

        Raises
        ------
        InputError
            If a name is unknown or a value is not allowed.

        Examples
        --------
        >>> study = Study.of({"data": "digits", "grid": {"latent_dim": [2, 8]}, "seeds": 2})
        >>> len(study.grid_trials())
        4
        """
        known = [f.name for f in fields(cls)]
        for name in record:
            if name not in known:
                raise unknown("study", name, known)
        if "data" not in record:
            raise InputError('a study needs data: a named set or a path, such as data = "digits".')
        for name in ("options", "grid", "search"):
            if not isinstance(record.get(name, {}), Mapping):
                raise InputError(f"{name}={record[name]!r} must be a table: write [{name}].")
        own = dict(record)
        own["search"] = {k: SearchRange.of(k, v) for k, v in dict(own.get("search", {})).items()}
        if own.get("labels") is not None:
            own["labels"] = str(own["labels"])
        return cls(**own)

    @property
    def maximise(self) -> bool:
        """Whether more of what is measured is better."""
        return self.measure in _HIGHER_IS_BETTER

    def settings(self) -> list[dict[str, Any]]:
        """Return every combination of the grid."""
        names = list(self.grid)
        return [
            dict(zip(names, own, strict=True)) for own in itertools.product(*self.grid.values())
        ]

    def example(self) -> dict[str, Any]:
        """Return one point of the search, to check its names with."""
        return {name: where.example for name, where in self.search.items()}

    def grid_trials(self) -> list[Trial]:
        """Return a trial for every combination and seed."""
        return over(self.seeds, self.settings(), **self.options)

    def prepare(self) -> Prepared:
        """Read and divide the data, and check every combination against it.

        Raises
        ------
        CuelloError
            If data or options cannot be used.
        """
        job = Job(
            data=self.data,
            labels=self.labels,
            validation=self.validation,
            test=self.test,
            seed=self.split_seed,
        )
        prepared = prepare(job)
        for settings in self.settings() if self.grid else [self.example()]:
            model = Autoencoder(**estimator_options({**self.options, **settings}))
            check_labels(model.kind, prepared.known_labels)
            model.initialize(prepared.train, prepared.known_labels)
        return prepared

    def run(
        self,
        trials: list[Trial],
        prepared: Prepared,
        *,
        step: Callable[[int, int], None] | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> Ran:
        """Train, together where networks are alike, and measure each trial as it ends."""
        models = [
            Autoencoder(**estimator_options(trial.options), random_state=trial.seed)
            for trial in trials
        ]
        train, known = prepared.train, prepared.known_labels
        fits = fit_many(models, train, known, validation=prepared.validation, step=step, say=say)
        for place, error in fits:
            result: dict[str, Any] = {"diverged": error is not None}
            if error is None:
                result |= measure(models[place], prepared)
            yield trials[place], result

    def to_json(self) -> dict[str, Any]:
        """Return plain values, enough for :meth:`of`."""
        record = asdict(self)
        record["search"] = {k: v.to_json() for k, v in self.search.items()}
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain


def estimator_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Sort options by who they belong to: the autoencoder, its kind, or its network.

    Raises
    ------
    InputError
        If a name belongs to none of them.

    Examples
    --------
    >>> estimator_options({"kind": "denoising", "noise_level": 0.3, "epochs": 5})
    {'kind': 'denoising', 'kind_options': {'noise_level': 0.3}, 'epochs': 5}
    """
    own = [name for name in Autoencoder().get_params(deep=False) if name not in _NOT_OPTIONS]
    kind, network = options.get("kind", "denoising"), options.get("network", "dense")
    of_kind, of_network = kinds.KINDS[kind].options(), networks.NETWORKS[network].options
    sorted_: dict[str, Any] = {}
    for name, value in options.items():
        if name in own:
            sorted_[name] = tuple(value) if isinstance(value, list) else value
        elif name in of_kind:
            sorted_.setdefault("kind_options", {})[name] = value
        elif name in of_network:
            sorted_.setdefault("network_options", {})[name] = value
        else:
            raise unknown("option", name, [*own, *of_kind, *of_network])
    return sorted_


def measure(model: Autoencoder, prepared: Prepared) -> dict[str, Any]:
    """Return every one of :data:`MEASURES` of a fitted model."""
    test, _ = prepared.test
    sequences = networks.NETWORKS[model.network].is_sequence
    width = unit_width(prepared.train, sequences=sequences)
    splits = {
        "train_mse": prepared.train[:_MOST_NEIGHBOURS],
        "validation_mse": prepared.validation,
        "test_mse": test,
    }
    measured: dict[str, Any] = {
        name: float(sample_errors(rows / width, model.reconstruct(rows) / width).mean())
        for name, rows in splits.items()
        if len(rows)
    }
    measured["validation_loss"] = min(epoch.loss for epoch in model.history_)
    measured["seconds"] = sum(epoch.seconds for epoch in model.history_)
    measured["parameters"] = sum(p.numel() for p in model.module_.parameters())
    if prepared.data.y is not None:
        measured["knn_accuracy"] = _knn_accuracy(model, prepared.data.X, prepared.data.y, prepared)
    return measured


def _knn_accuracy(model: Autoencoder, X: Array, y: Codes, prepared: Prepared) -> float | None:
    train, held_out = (
        rows[y[rows] != UNLABELLED][:_MOST_NEIGHBOURS]
        for rows in (prepared.rows.train, prepared.rows.validation)
    )
    if len(train) < 5 or len(held_out) == 0:
        return None
    neighbours = KNeighborsClassifier(5).fit(model.transform(X[train]), y[train])
    return float(neighbours.score(model.transform(X[held_out]), y[held_out]))
