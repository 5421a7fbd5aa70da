"""A study: options of an autoencoder, fixed or varied, seeds, and the measure to look at."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from cuello import kinds, networks
from cuello.errors import InputError, Use, unknown
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello.run import Job
from cuello.run.job import check_labels
from cuello.run.prepare import Prepared, prepare
from cuello.study.trials import MEASURES, Ran, Trial, measure, over

__all__ = ["SearchRange", "Study", "estimator_options"]

_HIGHER_IS_BETTER = ("knn_accuracy",)
_NOT_OPTIONS = ("random_state", "kind_options", "network_options", "encoder", "decoder")


@dataclass(frozen=True, kw_only=True)
class SearchRange:
    """One option of a search: a range with both its ends, or choices instead.

    Whole ends have whole values; with ``log`` every factor is equally likely, not every difference.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, record: Any) -> SearchRange:
        """Build from a table (low, high, log) or a list of choices."""
        if isinstance(record, cls):
            return record
        if isinstance(record, list | tuple):
            if not record:
                raise InputError(f"search: {name} has no choices; give at least one.")
            return cls(choices=tuple(record))
        if not isinstance(record, Mapping):
            raise InputError(
                f"search: {name}={record!r} must be a list of choices, or a range such as "
                "{ low = 1e-4, high = 0.1, log = true }."
            )
        if "choices" in record:
            return cls.of(name, record["choices"])
        for key in record:
            if key not in ("low", "high", "log"):
                raise unknown(f"search: {name}", key, ("low", "high", "log", "choices"))
        low, high, log = record.get("low"), record.get("high"), record.get("log", False)
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
        if not numbers or low >= high or (log and low <= 0):  # type: ignore[operator]
            raise InputError(
                f"search: {name} has low={low!r} and high={high!r}; low must be a number below "
                "high, and above 0 with log."
            )
        return cls(low=low, high=high, log=bool(log))

    @property
    def example(self) -> Any:
        """Return one of the values."""
        return self.choices[0] if self.choices else self.low

    def suggest(self, name: str, trial: Any) -> Any:
        """Ask an Optuna trial for a value."""
        if self.choices:
            # Optuna keeps texts, and no lists.
            texts = [json.dumps(choice) for choice in self.choices]
            return json.loads(trial.suggest_categorical(name, texts))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def to_json(self) -> Any:
        """Return what :meth:`of` takes."""
        if self.choices:
            return list(self.choices)
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True, kw_only=True)
class Study:
    """Describe a study: options that vary, options that do not, seeds, and the measure.

    Parameters
    ----------
    data : str
        A named set or a path; see :func:`cuello.load`.
    options : mapping
        Options of :class:`cuello.Autoencoder` that all trials have, and beside them those of the
        kind and of the network (``noise_level``).
    grid : mapping of str to sequence
        Values of the options that vary: every combination is tried.
    search : mapping of str to mapping or sequence
        Instead of a grid: a range (``low``, ``high`` and, if wanted, ``log``) or a list of choices
        for every option that varies.
    seeds : int
        Seeds of each combination (of each trial of a search).
    trials : int
        Number of trials of a search.
    measure : str
        One of :data:`MEASURES`: what table and figure show, and what a search improves.
    labels : str or None
        For kinds that need classes: the number of labels to use, or ``all``.
    validation, test : float
        Shares of the samples; ``test`` only where the set has no official test split.
    split_seed : int
        Seed of the split, which is the same for all trials.

    Raises
    ------
    InputError
        If a name is unknown or a value is not allowed.
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
        ranges = {name: SearchRange.of(name, record) for name, record in self.search.items()}
        object.__setattr__(self, "search", ranges)
        if bool(self.grid) == bool(self.search):
            raise InputError(
                "a study needs either grid (every combination of some values) or search (ranges to "
                f"look in); this one has {'both' if self.grid else 'neither'}."
            )
        for name, tried in self.grid.items():
            if not isinstance(tried, list | tuple) or not tried:
                raise InputError(
                    f"grid: {name}={tried!r} must be a list of one value or more, such as "
                    f"{name} = [0.1, 0.01]"
                )
        for name in ("seeds", "trials"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise InputError(
                    argument=name, value=getattr(self, name), allowed="a whole number from 1 on"
                )
        if self.measure not in MEASURES:
            raise unknown("measure", self.measure, MEASURES)
        if self.search:
            self.check_choice()
        both = set(self.options) & {*self.grid, *self.search}
        if both:
            raise InputError(f"{min(both)} cannot be both fixed (options) and varied; drop one")
        for settings in self.settings():
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
        names = [f.name for f in fields(cls)]
        for name in record:
            if name not in names:
                raise unknown("study", name, names)
        if "data" not in record:
            raise InputError('a study needs data: a named set or a path, such as data = "digits".')
        for name in ("options", "grid", "search"):
            if not isinstance(record.get(name, {}), Mapping):
                raise InputError(f"{name}={record[name]!r} must be a table: write [{name}].")
        labels = record.get("labels")
        return cls(**{**record, "labels": None if labels is None else str(labels)})

    @property
    def maximise(self) -> bool:
        """Return whether higher values of the measure are better."""
        return self.measure in _HIGHER_IS_BETTER

    def check_choice(self) -> None:
        """Refuse to choose the best by a measure of test samples."""
        if self.measure.startswith("test"):
            raise InputError(
                "is of test samples; the best cannot be chosen on test samples, which then say "
                "nothing about new ones",
                argument="measure",
                value=self.measure,
                remedy=[Use("measure", "validation_mse"), "; test samples are measured beside it"],
            )

    def settings(self) -> list[dict[str, Any]]:
        """Return every combination of the grid; of a search one point, to check its names with."""
        if self.search:
            return [{name: searched.example for name, searched in self.search.items()}]
        return [
            dict(zip(self.grid, values, strict=True))
            for values in itertools.product(*self.grid.values())
        ]

    def grid_trials(self) -> list[Trial]:
        """Return a trial for every combination and seed."""
        return over(self.seeds, self.settings(), **self.options)

    @property
    def split_options(self) -> dict[str, Any]:
        """Return the options of a job that decide its data and their split."""
        names = {"data", "labels", "validation", "test"}
        return {name: getattr(self, name) for name in names} | {"seed": self.split_seed}

    def prepare(self) -> Prepared:
        """Read and divide the data, and check every combination against it."""
        prepared = prepare(Job(**self.split_options))
        for settings in self.settings():
            model = Autoencoder(**estimator_options({**self.options, **settings}))
            check_labels(model.kind_, prepared.visible_labels)
            model.initialize(prepared.train, prepared.visible_labels)
        return prepared

    def run(
        self,
        trials: list[Trial],
        prepared: Prepared,
        *,
        say: Callable[[str], None] = lambda text: None,
    ) -> Ran:
        """Train, together where networks are alike, and measure each trial as it ends."""
        models = [
            Autoencoder(**estimator_options(trial.options), random_state=trial.seed)
            for trial in trials
        ]
        X, y = prepared.train, prepared.visible_labels
        fits = fit_many(models, X, y, validation=prepared.validation, say=say)
        for i, error in fits:
            measured = {} if error else measure(models[i], prepared)
            yield trials[i], {"diverged": error is not None, **measured}

    def to_json(self) -> dict[str, Any]:
        """Return plain values, enough for :meth:`of`."""
        record = asdict(self)
        record["search"] = {k: v.to_json() for k, v in self.search.items()}
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain


def estimator_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Sort options into those of the autoencoder, of its kind, and of its network."""
    of_estimator = [
        name for name in Autoencoder().get_params(deep=False) if name not in _NOT_OPTIONS
    ]
    kind = kinds.choose_kind(options.get("kind", "auto"))
    network = networks.choose_network(options.get("network", "auto"))
    of_kind, of_network = kinds.KINDS[kind].options(), networks.NETWORKS[network].options
    sorted_options: dict[str, Any] = {}
    for name, value in options.items():
        if name in of_estimator:
            sorted_options[name] = tuple(value) if isinstance(value, list) else value
        elif name in of_kind:
            sorted_options.setdefault("kind_options", {})[name] = value
        elif name in of_network:
            sorted_options.setdefault("network_options", {})[name] = value
        else:
            raise unknown("option", name, [*of_estimator, *of_kind, *of_network])
    return sorted_options
