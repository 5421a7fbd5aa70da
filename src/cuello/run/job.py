"""Options of the main job, as one record that a run folder can keep, and the time it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Protocol

from cuello import clock
from cuello.data.augment import Augment
from cuello.data.dataset import TASK_NAMES
from cuello.data.scaling import SCALINGS
from cuello.errors import Argument, InputError, Text, unknown
from cuello.estimators import Autoencoder
from cuello.few_label import METHODS
from cuello.formats import duration
from cuello.kinds import KINDS, LOSSES, OUTPUTS
from cuello.networks import ACTIVATIONS, INITIALIZERS, NETWORKS
from cuello.options import Range, Seconds, read_options
from cuello.train import TrainingConfig
from cuello.train.loop import affordable_epochs
from cuello.train.trackers import Tracker, tracker_of

__all__ = [
    "KEEP_LABELS",
    "PROJECTION",
    "SLOW_METHOD",
    "TASK_NAMES",
    "TRAINING",
    "TRAINING_ALONE",
    "Budget",
    "Job",
    "Progress",
    "Silent",
    "check_labels",
]

_LARGEST_SEED = 2**31 - 1  # NumPy's legacy generators end at 2**32 - 1, and each draw adds to it

TRAINING, TRAINING_ALONE, PROJECTION, SLOW_METHOD = 0.5, 0.75, 0.1, 0.25
_RESERVE = 0.1

KEEP_LABELS: Text = [
    "pass ",
    Argument("labels", 300),
    " (as many as there are to be), ",
    Argument("labels", "all"),
    ", or a CSV of file-or-row,label",
]
"""The remedy where something learns from labels, and none are kept."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Options of the main job.

    Parameters
    ----------
    data : str
        A named set or a path; see :func:`cuello.load`.
    labels : str or None
        How many labels to keep (``"300"``), ``"all"``, or a CSV of ``file-or-row,label`` (see
        :func:`cuello.data.labels.with_labels`). None: all labels where only some samples have one,
        otherwise no classifier.
    repeats : int or "auto"
        Label draws, at least 1; ``auto`` is one, or five with ``compare``.
    compare : bool
        Compare training from scratch, a linear probe, fine-tuning at two rates and label spreading
        as well, over several label draws.
    task : str
        Task of the labels: ``multiclass`` or ``binary``, ``multilabel`` (properties of 0 and 1),
        ``regression``, or ``auto``, as the labels imply (see :func:`cuello.load`).
    method : str
        The method of :class:`cuello.FewLabelClassifier`, or :class:`cuello.FewLabelRegressor`, that
        learns the labels and is kept. ``auto``: the one that held-out labels show to be best.
    encoder_lr_factor : float
        The encoder's learning rate as a share of the head's, for the ``fine_tune_slow`` method.
    validation, test : float
        Shares of the samples; ``test`` only where the set has no official test split.
    image_size : tuple of int or None
        (height, width) that image files are resized to.
    label_column : str or None
        The column of a table that holds the labels, or several, separated by commas.
    skip_bad : bool
        Leave unreadable images or lines out and list them, instead of stopping.
    keep_constant : bool
        Keep columns of a table that hold one value only.
    seed : int
        Split, weights, order, noise and label draws follow from it.
    max_time : float or None
        Seconds that everything may take, from reading the data to the report, above 0: training is
        shortened, and methods are left out, which a note says (:class:`cuello.run.job.Budget`).
        None: no limit.
    log_to : str or None
        Where else to log the training of the autoencoder: ``tensorboard`` (in the run folder),
        ``mlflow`` or ``wandb``, or with a target: ``tensorboard:FOLDER``, ``mlflow:TRACKING_URI``,
        ``wandb:PROJECT``.
    model : mapping
        Options of :class:`cuello.Autoencoder`.
    """

    data: str
    labels: str | None = None
    repeats: Annotated[int | str, Range(1), ("auto",)] = "auto"
    compare: bool = False
    task: Annotated[str, TASK_NAMES] = "auto"
    method: Annotated[str, METHODS] = "auto"
    encoder_lr_factor: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.1
    validation: float = 0.1
    test: float = 0.2
    image_size: tuple[int, int] | None = None
    label_column: str | None = None
    skip_bad: bool = False
    keep_constant: bool = False
    seed: int = 0
    max_time: Annotated[float | None, Seconds(0.0, open_low=True)] = None
    log_to: str | None = None
    model: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.repeats != "auto" and (isinstance(self.repeats, str) or self.repeats < 1):
            allowed = "a whole number, at least 1, or 'auto'"
            raise InputError(argument="repeats", value=self.repeats, allowed=allowed)
        options = read_options(Job)
        for name in ("task", "encoder_lr_factor", "max_time"):
            options[name].check(getattr(self, name))
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(
                argument="seed",
                value=self.seed,
                allowed=f"a whole number from 0 to {_LARGEST_SEED}",
            )

    @property
    def draws(self) -> int:
        """Number of label draws."""
        return (5 if self.compare else 1) if isinstance(self.repeats, str) else self.repeats

    @classmethod
    def of(cls, **options: Any) -> Job:
        """Build a job from its options and those of the model, side by side."""
        of_job = {field.name for field in fields(cls)} - {"model"}
        return cls(
            **{name: value for name, value in options.items() if name in of_job},
            model={name: value for name, value in options.items() if name not in of_job},
        )

    def trackers(self, folder: Path) -> list[Tracker]:
        """Return callbacks that log the training of the run in a folder."""
        return [] if self.log_to is None else [tracker_of(self.log_to, folder)]

    def autoencoder(self) -> Autoencoder:
        """Return the autoencoder that is to be trained, not fitted."""
        return Autoencoder(**{"random_state": self.seed, **self.model})

    def check(self) -> None:
        """Refuse (InputError) options that are wrong whatever the data, before any is read."""
        model = self.autoencoder()
        self.trackers(Path())
        for registry in (KINDS, NETWORKS, ACTIVATIONS, INITIALIZERS, LOSSES, OUTPUTS):
            name = getattr(model, registry.argument)
            if name != "auto" or registry is ACTIVATIONS:
                registry.resolve(name)
        if model.scaling not in SCALINGS:
            raise unknown("scaling", model.scaling, SCALINGS)
        METHODS.resolve(self.method)
        if model.augment is not None:
            Augment.parse(model.augment)
        options = model.get_params(deep=False)
        of_training = {field.name for field in fields(TrainingConfig)} & set(options)
        TrainingConfig(**{name: options[name] for name in of_training if options[name] != "auto"})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Job:
        """Rebuild a job from JSON of its ``asdict``."""
        size = record["image_size"]
        return cls(**{**record, "image_size": None if size is None else tuple(size)})


def check_labels(kind: str, labels: object | None, task: str = "multiclass") -> None:
    """Refuse (InputError) a kind that needs classes where no sample has one."""
    if not KINDS[kind].needs_labels or labels is not None:
        return
    if task != "multiclass":
        raise InputError(
            ["learns from classes, and labels of ", Argument("task", task), " hold none"],
            argument="kind",
            value=kind,
            remedy="choose another kind of autoencoder",
        )
    raise InputError(
        "needs classes and no label is kept", argument="kind", value=kind, remedy=KEEP_LABELS
    )


class Progress(Protocol):
    """Receiver of the progress of a job."""

    def update(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Show how many steps of a stage are done, and what it is at: the losses of an epoch."""

    def say(self, text: str) -> None:
        """Show a message."""


class Silent:
    """Progress that is not shown."""

    def update(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""


@dataclass
class Budget:
    """Keep a run within its time, reading and training before an interruption included.

    The autoencoder trains for at most half of it, or three quarters without labels; the projection
    for at most a tenth. Few-label methods that do not train the encoder come first. A method is
    begun while more than a tenth is left, for embeddings, models and report (if it trains the
    encoder, a quarter more), and finished. The method that was asked for, or else the linear probe,
    always runs. A further label draw is begun only if all of it, at the pace of the first, fits.
    """

    seconds: float | None
    """None is no limit."""
    spent: float = 0.0
    """Seconds of the run before it was interrupted."""
    began: float = field(default_factory=lambda: clock.now())
    losses: list[str] = field(default_factory=list)
    """What was shortened or left out."""

    @property
    def elapsed(self) -> float:
        """Return the seconds that the run has taken."""
        return self.spent + clock.now() - self.began

    def share(self, factor: float) -> float | None:
        """Return a share in seconds; None without a budget."""
        return None if self.seconds is None else factor * self.seconds

    @property
    def left(self) -> float | None:
        """Return the seconds until only the rest can be done; None without a budget."""
        return None if self.seconds is None else (1.0 - _RESERVE) * self.seconds - self.elapsed

    def allows(self, seconds: float = 0.0) -> bool:
        """Return whether there is time for so many seconds more, and then for the rest."""
        return self.left is None or seconds < self.left

    def note_training(self, name: str, model: Autoencoder | None) -> None:
        """Note that a training was shortened, if it was."""
        if model is not None:
            done, config = len(model.history_), model.training_config_
            if affordable_epochs(config, model.history_) <= done < config.epochs:
                self.losses.append(f"{name} trained {done} of {config.epochs} epochs")

    def notes(self) -> list[str]:
        """Return the note for summary and report: none if nothing was lost."""
        budget = f"to keep the time budget of {duration(self.seconds)}, "
        return [budget + "; ".join(self.losses)] if self.losses else []
