"""Ready callbacks: a training in TensorBoard, MLflow, or Weights & Biases."""

from __future__ import annotations

import importlib
import textwrap
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, final

from cuello.errors import CuelloWarning, InputError
from cuello.registry import Registry
from cuello.train.state import Epoch

__all__ = ["TRACKERS", "MLflow", "TensorBoard", "Tracker", "WandB", "tracker_of"]


class Tracker(ABC):
    """Send the options of a training, and the losses of each epoch, to a tracker of experiments.

    Logged are ``train/NAME`` and ``validation/NAME`` for each term of
    the loss, ``train/loss`` and ``validation/loss`` for their sums, and ``learning_rate``; the step
    is the number of the epoch, from 0.

    Raises
    ------
    InputError
        If the package is not installed; at the beginning of a training, if the tracker cannot be
        written to. Where that fails later, a warning is given and the training goes on.
    """

    package: str
    extra: str

    def __init__(self) -> None:
        try:
            self._package = importlib.import_module(self.package)
        except ImportError as error:
            raise InputError(
                f"{type(self).__name__} needs {error.name or self.package}, which is not "
                f'installed; install it with: pip install "cuello[{self.extra}]"'
            ) from None
        self._run: Any = None

    @classmethod
    @abstractmethod
    def of(cls, target: str, folder: Path) -> Self:
        """Return a tracker of the run of a folder; an empty target is the usual one."""

    @abstractmethod
    def start(self, options: Mapping[str, bool | float | str]) -> Any:
        """Start a run with these options, and return it."""

    @abstractmethod
    def log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        """Send values, so that whoever watches sees them at once."""

    @abstractmethod
    def finish(self, run: Any, error: BaseException | None) -> None:
        """Close a run, which an error may have ended."""

    @final
    def on_train_begin(self, options: Mapping[str, Any]) -> None:
        """Start a run."""
        try:
            self._run = self.start(_plain_options(options))
        except Exception as error:  # of any client: no server, no login, no space
            raise InputError(
                f"{type(self).__name__} cannot be written to ({_reason(error)})"
            ) from error

    @final
    def on_epoch_end(self, record: Epoch) -> None:
        """Log the losses and the learning rate."""
        values = {"learning_rate": record.learning_rate}
        for split, losses in (("train", record.train), ("validation", record.validation)):
            if losses is not None:
                values |= {f"{split}/{name}": loss for name, loss in losses.items()}
                values[f"{split}/loss"] = sum(losses.values())
        self._attempt(self.log, values, record.epoch)

    @final
    def on_train_end(self, error: BaseException | None) -> None:
        """Close the run."""
        self._attempt(self.finish, error)
        self._run = None

    def _attempt(self, send: Callable[..., None], *facts: Any) -> None:
        if self._run is None:
            return
        try:
            send(self._run, *facts)
        except Exception as error:
            self._run = None  # a client may try again for minutes, which no later epoch waits for
            text = f"{type(self).__name__} failed and gets nothing more ({_reason(error)})"
            warnings.warn(text, CuelloWarning, stacklevel=2)


TRACKERS: Registry[type[Tracker]] = Registry("log_to")
"""Trackers by the name of the package's extra that they need."""


def tracker_of(text: str, folder: Path) -> Tracker:
    """Return the tracker that a text ``NAME`` or ``NAME:TARGET`` names, for a run folder.

    Raises
    ------
    InputError
        If no tracker has the name, or its package is not installed.
    """
    name, _, target = text.partition(":")
    return TRACKERS[name].of(target, folder)


@final
@TRACKERS.register("tensorboard")
class TensorBoard(Tracker):
    """Write event files for TensorBoard: ``tensorboard --logdir FOLDER`` shows them.

    Parameters
    ----------
    folder : str or Path
        A folder for one training. One that is continued goes on in it; a new one replaces it.

    Examples
    --------
    >>> import tempfile
    >>> from cuello import Autoencoder, load
    >>> folder = Path(tempfile.mkdtemp())
    >>> model = Autoencoder("plain", latent_dim=2, hidden=(8,), epochs=2)
    >>> model = model.fit(load("font").X, callbacks=TensorBoard(folder))
    >>> [path.name.split(".")[2] for path in folder.iterdir()]
    ['tfevents']
    """

    package, extra = "torch.utils.tensorboard", "tensorboard"

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)

    @classmethod
    def of(cls, target: str, folder: Path) -> Self:
        """Write to a folder, by default ``tensorboard`` in the run folder."""
        return cls(target or folder / "tensorboard")

    def start(self, options: Mapping[str, bool | float | str]) -> Any:
        """Open an event file, and write the options as a table of text."""
        first = int(
            options["initial_epoch"]
        )  # what an earlier training left from there on is stale
        run = self._package.SummaryWriter(str(self.folder), purge_step=first)
        rows = "".join(f"\n| {name} | {value} |" for name, value in options.items())
        run.add_text("options", f"| option | value |\n|---|---|{rows}", first)
        return run

    def log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        """Write scalars."""
        for name, value in values.items():
            run.add_scalar(name, value, step)
        run.flush()

    def finish(self, run: Any, error: BaseException | None) -> None:
        """Close the event file."""
        run.close()


@final
@TRACKERS.register("mlflow")
class MLflow(Tracker):
    """Log to an MLflow server or database: one run a training, its options as parameters.

    Parameters
    ----------
    tracking_uri : str or None
        A server (``http://localhost:5000``) or database (``sqlite:///mlflow.db``); None is that of
        MLflow's own settings (``MLFLOW_TRACKING_URI``).
    experiment : str
        The experiment; it is made if there is none of this name.
    run_name : str or None
        The name of the run; None leaves it to MLflow.
    """

    package, extra = "mlflow", "mlflow"

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str = "cuello",
        run_name: str | None = None,
    ) -> None:
        super().__init__()
        self.tracking_uri, self.experiment, self.run_name = tracking_uri, experiment, run_name

    @classmethod
    def of(cls, target: str, folder: Path) -> Self:
        """Log to a tracking URI, as a run of the folder's name."""
        return cls(tracking_uri=target or None, run_name=folder.name)

    def start(self, options: Mapping[str, bool | float | str]) -> Any:
        """Create a run."""
        # A client of its own: the run that a caller may have opened stays what is active.
        self._client = self._package.MlflowClient(tracking_uri=self.tracking_uri)
        known = self._client.get_experiment_by_name(self.experiment)
        where = self._client.create_experiment(self.experiment) if known is None else known
        where = getattr(where, "experiment_id", where)
        run = self._client.create_run(where, run_name=self.run_name).info.run_id
        for name, value in options.items():
            self._client.log_param(run, name, value)
        return run

    def log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        """Log metrics."""
        for name, value in values.items():
            self._client.log_metric(run, name, value, step=step)

    def finish(self, run: Any, error: BaseException | None) -> None:
        """End the run as finished, killed (Ctrl-C) or failed."""
        failed = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        self._client.set_terminated(run, "FINISHED" if error is None else failed)


@final
@TRACKERS.register("wandb")
class WandB(Tracker):
    """Log to Weights & Biases: one run a training, its options as configuration.

    Parameters
    ----------
    project : str
        The project.
    **options
        Of ``wandb.init``: ``entity``, ``name``, ``mode="offline"``, ...
    """

    package, extra = "wandb", "wandb"

    def __init__(self, project: str = "cuello", **options: Any) -> None:
        super().__init__()
        # A run of its own: one that a caller may have opened stays open.
        self.options = {"project": project, "reinit": "create_new", **options}

    @classmethod
    def of(cls, target: str, folder: Path) -> Self:
        """Log to a project, as a run of the folder's name."""
        return cls(target or "cuello", name=folder.name)

    def start(self, options: Mapping[str, bool | float | str]) -> Any:
        """Start a run; options that are given as ``config`` go before."""
        config = {**options, **self.options.get("config", {})}
        return self._package.init(**{**self.options, "config": config})

    def log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        """Log values, without waiting for those of the next step."""
        run.log(dict(values), step=step, commit=True)

    def finish(self, run: Any, error: BaseException | None) -> None:
        """End the run, as failed where an error ended the training."""
        run.finish(exit_code=0 if error is None else 1)


def _plain_options(options: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """Return numbers and texts by name; those of a mapping after its name and a dot."""
    plain: dict[str, bool | float | str] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            inner = _plain_options(value)
            plain |= {f"{name}.{key}": each for key, each in inner.items()}
        else:
            plain[name] = value if isinstance(value, bool | int | float | str) else str(value)
    return plain


def _reason(error: Exception) -> str:
    return textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
