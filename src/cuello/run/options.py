"""The autoencoder that a job asks for, and checks of its options."""

from __future__ import annotations

from dataclasses import fields

from cuello.data.augment import Augment
from cuello.data.scaling import SCALINGS
from cuello.errors import Argument, InputError, unknown
from cuello.estimators import Autoencoder
from cuello.few_label import METHODS
from cuello.kinds import KINDS, LOSSES, OUTPUTS
from cuello.networks import ACTIVATIONS, INITIALIZERS, NETWORKS
from cuello.run.job import KEEP_LABELS, Job
from cuello.train import TrainingConfig

__all__ = ["check_labels", "check_job_options", "estimator"]


def estimator(job: Job) -> Autoencoder:
    """Return the autoencoder of a job, not fitted."""
    return Autoencoder(**{"random_state": job.seed, **job.model})


def check_job_options(job: Job) -> None:
    """Refuse options that are wrong whatever the data, before any is read.

    Raises
    ------
    InputError
        If one is.
    """
    model = estimator(job)
    for registry in (KINDS, NETWORKS, ACTIVATIONS, INITIALIZERS, LOSSES, OUTPUTS):
        name = getattr(model, registry.argument)
        if name != "auto" or registry in (KINDS, NETWORKS, ACTIVATIONS):
            registry.resolve(name)
    if model.scaling not in SCALINGS:
        raise unknown("scaling", model.scaling, SCALINGS)
    if job.method is not None and job.method not in METHODS:
        raise unknown("method", job.method, METHODS)
    if model.augment is not None:
        Augment.parse(model.augment)
    given = model.get_params(deep=False).items()
    numbers = {field.name for field in fields(TrainingConfig)}
    TrainingConfig(**{name: value for name, value in given if name in numbers and value != "auto"})


def check_labels(kind: str, known: object | None, task: str = "multiclass") -> None:
    """Refuse a kind that needs classes where none is known.

    Raises
    ------
    InputError
        If it does, and none is.
    """
    if not KINDS[kind].needs_labels or known is not None:
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
