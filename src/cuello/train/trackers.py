"""Ready callbacks: a training in TensorBoard, MLflow, or Weights & Biases."""

from __future__ import annotations

import importlib
import textwrap
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

from cuello.errors import CuelloWarning, InputError
from cuello.registry import Registry
from cuello.train.state import Epoch

__all__ = ["TRACKERS", "MLflow", "TensorBoard", "Tracker", "WandB", "tracker_of"]


Options = Mapping[str, Any]  # numbers and texts by name


class Tracker(ABC):
    """Send the options of a training, and the losses of each epoch, to a tracker of experiments.

    Logged are ``train/NAME`` and ``validation/NAME`` for each term of the loss, ``train/loss`` and
    ``validation/loss`` for their sums, and ``learning_rate``; the step is the epoch, from 0.

    A package that is not installed is refused at once (InputError), a target that cannot be written
    to before the first epoch. Where that fails later, a warning is given and the training goes on.
    """

    package: str
    """Its last name is that of the extra which installs it."""

    def __init__(self) -> None:
        try:
            self._package = importlib.import_module(self.package)
        except ImportError as error:
            raise InputError(
                f"{type(self).__name__} needs {error.name or self.package}, which is not "
                f'installed; install it with: pip install "cuello[{self.package.split(".")[-1]}]"'
            ) from None
        self._run: Any = None

    @abstractmethod
    def _start(self, options: Options) -> Any:
        """Start a run with these options, and return it."""

    @abstractmethod
    def _log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        """Send values, so that whoever watches sees them at once."""

    @abstractmethod
    def _finish(self, run: Any, error: BaseException | None) -> None:
        """Close a run, which an error may have ended."""

    @final
    def on_train_begin(self, options: Options) -> None:
        """Start a run."""
        try:
            self._run = self._start(_plain_options(options))
        except Exception as error:  # of any client: no server, no login, no space
            text = f"{type(self).__name__} cannot be written to ({_reason(error)})"
            raise InputError(text) from error

    @final
    def on_epoch_end(self, record: Epoch) -> None:
        """Log the losses and the learning rate."""
        values = {"learning_rate": record.learning_rate}
        for split, losses in (("train", record.train), ("validation", record.validation)):
            if losses is not None:
                values |= {f"{split}/{name}": loss for name, loss in losses.items()}
                values[f"{split}/loss"] = sum(losses.values())
        self._attempt(self._log, values, record.epoch)

    @final
    def on_train_end(self, error: BaseException | None) -> None:
        """Close the run."""
        self._attempt(self._finish, error)
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


@final
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

    package = "torch.utils.tensorboard"

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)

    def _start(self, options: Options) -> Any:
        first = int(options["initial_epoch"])  # events of later epochs that lie there are stale
        run = self._package.SummaryWriter(str(self.folder), purge_step=first)
        rows = "".join(f"\n| {name} | {value} |" for name, value in options.items())
        run.add_text("options", f"| option | value |\n|---|---|{rows}", first)
        return run

    def _log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            run.add_scalar(name, value, step)
        run.flush()

    def _finish(self, run: Any, error: BaseException | None) -> None:
        run.close()


@final
class MLflow(Tracker):
    """Log to an MLflow server or database: one run a training, its options as parameters.

    Parameters
    ----------
    tracking_uri : str or None
        A server (``http://localhost:5000``) or database (``sqlite:///mlflow.db``); None is that of
        MLflow's own settings (``MLFLOW_TRACKING_URI``).
    experiment : str
        The experiment; it is made if there is none of this name.
    run_name : str
        The name of the run; without one, MLflow gives it one.
    """

    package = "mlflow"

    def __init__(
        self, tracking_uri: str | None = None, *, experiment: str = "cuello", run_name: str = ""
    ) -> None:
        super().__init__()
        self.tracking_uri, self.experiment, self.run_name = tracking_uri, experiment, run_name

    def _start(self, options: Options) -> Any:
        self._client = self._package.MlflowClient(tracking_uri=self.tracking_uri)
        found = self._client.get_experiment_by_name(self.experiment)
        where = found.experiment_id if found else self._client.create_experiment(self.experiment)
        run = self._client.create_run(where, run_name=self.run_name or None).info.run_id
        param = self._package.entities.Param
        self._client.log_batch(run, params=[param(k, str(v)) for k, v in options.items()])
        return run

    def _log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        metric, now = self._package.entities.Metric, round(1000 * time.time())
        self._client.log_batch(run, [metric(k, v, now, step) for k, v in values.items()])

    def _finish(self, run: Any, error: BaseException | None) -> None:
        failed = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        self._client.set_terminated(run, "FINISHED" if error is None else failed)


@final
class WandB(Tracker):
    """Log to Weights & Biases: one run a training, its options as configuration.

    Parameters
    ----------
    project : str
        The project.
    **options
        Of ``wandb.init``: ``entity``, ``name``, ``mode="offline"``, ...
    """

    package = "wandb"

    def __init__(self, project: str = "cuello", **options: Any) -> None:
        super().__init__()
        # A run of its own: one that a caller may have opened stays open.
        self.options = {"project": project, "reinit": "create_new", **options}

    def _start(self, options: Options) -> Any:
        config = {**options, **self.options.get("config", {})}
        return self._package.init(**{**self.options, "config": config})

    def _log(self, run: Any, values: Mapping[str, float], step: int) -> None:
        run.log(dict(values), step=step, commit=True)

    def _finish(self, run: Any, error: BaseException | None) -> None:
        run.finish(exit_code=0 if error is None else 1)


TRACKERS: Registry[Callable[[str, Path], Tracker]] = Registry("log_to")
"""Functions of a target, which may be empty, and a run folder, by the extra that installs them."""

TRACKERS.add("tensorboard", lambda target, run: TensorBoard(target or run / "tensorboard"))
TRACKERS.add("mlflow", lambda target, run: MLflow(tracking_uri=target or None, run_name=run.name))
TRACKERS.add("wandb", lambda target, run: WandB(target or "cuello", name=run.name))


def tracker_of(text: str, folder: Path) -> Tracker:
    """Return the tracker that ``NAME`` or ``NAME:TARGET`` stands for, for a run folder."""
    name, _, target = text.partition(":")
    return TRACKERS[name](target, folder)


def _plain_options(options: Options, prefix: str = "") -> dict[str, Any]:
    """Return numbers and texts by name; those of a mapping after its name and a dot."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            plain |= _plain_options(value, f"{prefix}{name}.")
        else:
            plain[prefix + name] = value if isinstance(value, int | float | str) else str(value)
    return plain


def _reason(error: Exception) -> str:
    return textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
