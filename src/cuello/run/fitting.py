"""The main job: many rows without labels, a few with, one run folder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.anomalies import AnomalyDetector
from cuello.errors import CuelloWarning, DataError, DivergedError, RunError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.estimators.projection import FLAT
from cuello.estimators.sources import name_of_source
from cuello.few_label import METHODS, FewLabelClassifier, FewLabelRegressor
from cuello.networks import NETWORKS
from cuello.report import write_report
from cuello.run import few_labels
from cuello.run.abstention import typical_error
from cuello.run.examples import uses
from cuello.run.folder import RunFolder
from cuello.run.job import Job, Progress, Silent
from cuello.run.options import check_labels, check_options, estimator
from cuello.run.prepare import Prepared, prepare
from cuello.run.projection import learn_projector, measure_projection, place
from cuello.run.provenance import describe_data, peak_memory_mb, run_config
from cuello.run.results import examples, measure_reconstruction, write_embeddings
from cuello.run.tasks import job_task
from cuello.train import Callbacks, Epoch

__all__ = ["default_folder", "fit", "plan", "resume", "start"]


def fit(
    data: str | Path,
    *,
    labels: int | str | Path | None = None,
    repeats: int = 5,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    **model: Any,
) -> RunFolder:
    """Do the main job from Python: what ``cuello fit`` does.

    Parameters
    ----------
    data : str or Path
        A named set or a path; see :func:`cuello.load`.
    labels : int, str, Path or None
        How many labels to keep, ``"all"``, or a CSV of ``file-or-row,label``; see
        :class:`cuello.run.Job`.
    repeats : int
        Label draws.
    out : str, Path or None
        The run folder; None is ``runs/NAME``.
    overwrite : bool
        Replace a run that is there.
    seed : int
        Everything random follows from it.
    **model
        Options of :class:`cuello.Autoencoder`, and ``validation``, ``test``, ``image_size``,
        ``label_column``, ``skip_bad``, ``keep_constant``, ``task``, ``mode``,
        ``encoder_lr_factor`` of :class:`cuello.run.Job`.

    Returns
    -------
    RunFolder
        Open it with :func:`cuello.open_run`.

    Examples
    --------
    >>> import tempfile
    >>> folder = fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=20)
    >>> folder.report.exists()
    True
    """
    job = Job.of(
        data=str(data),
        labels=None if labels is None else str(labels),
        repeats=repeats,
        seed=seed,
        **model,
    )
    return start(job, default_folder(job.data) if out is None else Path(out), overwrite=overwrite)


def default_folder(data: str) -> Path:
    """Return ``runs/NAME`` for a named set or a path."""
    return Path("runs") / (Path(data).name.split(".")[0].replace(":", "-") or "data")


def plan(job: Job) -> tuple[Prepared, Autoencoder]:
    """Read and divide the data, check every option, and build the untrained network.

    Raises
    ------
    CuelloError
        If the data or an option cannot be used.
    """
    check_options(job)
    prepared = prepare(job)
    untrained = estimator(job).set_params(validation_fraction=0.0)
    data = prepared.data
    if not NETWORKS[untrained.network].is_sequence and data.X.ndim == 3 and np.isnan(data.X).any():
        raise DataError(
            f"{data.source} holds sequences of different lengths (NaN after their end), which "
            f"network={untrained.network!r} cannot read; pass network='sequence' (--network)."
        )
    if job.method is not None:
        METHODS[job.method].check_task(data.task, classes=job_task(data).single_label)
        METHODS[job.method].check_rows(data.X)
    check_labels(untrained.kind, prepared.known_labels, data.task)
    for which in ("encoder", "decoder"):
        name_of_source(which, getattr(untrained, which))  # or the run could not be kept
    return prepared, untrained.initialize(prepared.train, prepared.known_labels)


def start(
    job: Job, out: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Do the main job from the beginning.

    Raises
    ------
    CuelloError
        If the data, an option or the folder cannot be used; before training starts.
    DivergedError
        If a loss became NaN; the folder then holds a checkpoint of the last good epoch.
    """
    check_options(job)
    folder = RunFolder(out)
    if folder.exists and not overwrite:
        folder.start({})  # refuses, before minutes are spent on reading
    with _collect_warnings() as notes:
        prepared, _ = plan(job)
    folder.start(run_config(job, prepared, [*prepared.data.notes, *notes]), overwrite=overwrite)
    return _Run(job, prepared, folder, progress or Silent()).finish()


def resume(
    out: Path, *, trust_remote_code: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Continue an interrupted job; a finished one is left as it is.

    With ``trust``, networks of your own that the folder names are imported and run.

    Raises
    ------
    RunError
        If the folder holds no run, or the data is not what it was.
    """
    folder = RunFolder(out)
    if not folder.exists:
        raise RunError(f"{out} holds no run to continue; start one without --resume.")
    config = folder.read_json("config.json")
    progress = progress or Silent()
    if config.get("status") == "finished" and folder.is_complete:
        progress.say(f"{out} is finished; there is nothing to continue.")
        return folder
    if config.get("status") == "diverged":
        raise RunError(
            f"{out} stopped because a loss became NaN, and would again; start again with "
            "--overwrite and a smaller --learning-rate or --gradient-clip 1."
        )
    try:
        job = Job.from_json(config["job"])
        fingerprint = config["data"]["fingerprint"]
        list(config["notes"])  # read again at the end, after hours perhaps
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{out}/config.json is damaged ({type(error).__name__}: {error}); start again with "
            "--overwrite."
        ) from error
    folder.check_remote_code(job.model, trust_remote_code=trust_remote_code)
    prepared = prepare(job)
    if prepared.fingerprint != fingerprint:
        raise RunError(
            f"{job.data} is not the data that {out} was started with (another fingerprint); "
            "restore the data, or start again with --overwrite."
        )
    return _Run(job, prepared, folder, progress).finish()


@dataclass(frozen=True)
class _Run:
    """The steps of one job, in order; each leaves its result in the folder."""

    job: Job
    prepared: Prepared
    folder: RunFolder
    progress: Progress

    def finish(self) -> RunFolder:
        began = time.perf_counter()
        before = sum(r["seconds"] for r in self.folder.read_lines("few_labels.jsonl"))
        with _collect_warnings() as notes:
            autoencoder, epochs_before = self.pretrain()
            before += sum(epoch.seconds for epoch in epochs_before)
            pca = fit_pca(
                autoencoder.scaling_.apply(self.prepared.train),
                autoencoder.latent_dim_,
                self.job.seed,
            )
            reconstruction, errors = measure_reconstruction(autoencoder, pca, self.prepared)
            metrics: dict[str, Any] = {
                "data": describe_data(self.prepared),
                "reconstruction": reconstruction,
                "diagnosis": autoencoder.diagnosis_.statistics,
                "few_labels": [],
            }
            detector, strangeness = self.detect(autoencoder, metrics)
            projector, places = self.project_embeddings(autoencoder, metrics)
            classifier = None
            if self.prepared.plan is not None:
                classifier = self.classify(autoencoder, pca, metrics)
        self.folder.write_arrays(
            "examples.npz",
            {
                **examples(autoencoder, pca, self.prepared, errors, places, self.job.seed),
                **uses(autoencoder, strangeness, self.prepared, self.job.seed),
            },
        )
        write_embeddings(
            self.folder.path / "embeddings.parquet",
            self.prepared.data,
            autoencoder,
            self.prepared.rows,
            None if self.prepared.plan is None else self.prepared.plan.final,
            detector,
        )
        metrics["timing"] = self.timing(autoencoder.history_, before + time.perf_counter() - began)
        self.folder.write_json("metrics.json", metrics)
        self.folder.save_models(autoencoder, classifier, detector, projector)
        config = self.folder.read_json("config.json")
        config["notes"] = list(dict.fromkeys([*config["notes"], *notes]))
        self.folder.write_json("config.json", config | {"status": "finished"})
        write_report(self.folder)
        self.folder.checkpoint.unlink(missing_ok=True)
        return self.folder

    def pretrain(self) -> tuple[Autoencoder, Sequence[Epoch]]:
        """Train on all training rows, and return the epochs done before.

        Only kinds that need classes see the few labels that are known.
        """
        autoencoder = estimator(self.job)
        now: list[Epoch] = []
        callbacks = Callbacks(
            step=lambda done, all: self.progress.update("autoencoder", done, all),
            epoch=now.append,
        )
        try:
            autoencoder.fit(
                self.prepared.train,
                self.prepared.known_labels,
                validation=self.prepared.validation,
                checkpoint=self.folder.checkpoint,
                callbacks=callbacks,
            )
        except DivergedError:
            self.folder.save_models(autoencoder, None)
            config = self.folder.read_json("config.json")
            self.folder.write_json("config.json", config | {"status": "diverged"})
            raise
        history = autoencoder.history_
        self.folder.write_lines("history.jsonl", [epoch.to_json() for epoch in history])
        return autoencoder, history[: len(history) - len(now)]

    def detect(
        self, autoencoder: Autoencoder, metrics: dict[str, Any]
    ) -> tuple[AnomalyDetector | None, npt.NDArray[np.float64] | None]:
        """Learn how strange usual rows look, and score those of the test (n,).

        By validation rows, or else by those of the test.
        """
        prepared = self.prepared
        held_out = prepared.validation if len(prepared.validation) else prepared.test[0]
        if not len(held_out):
            return None, None
        detector = AnomalyDetector(autoencoder, random_state=self.job.seed)
        detector.learn(prepared.train, held_out)
        metrics["anomalies"] = {
            "threshold": detector.threshold_,
            "false_positive_rate": list(detector.false_positive_rate_),
            "held_out_rows": detector.held_out_rows_,
        }
        if not len(prepared.test[0]):
            return detector, None
        scores = detector.anomaly_scores(prepared.test[0])
        metrics["anomalies"] |= {
            "test_rows": len(scores),
            "test_count": int((scores > detector.threshold_).sum()),
        }
        return detector, scores

    def project_embeddings(
        self, autoencoder: Autoencoder, metrics: dict[str, Any]
    ) -> tuple[Autoencoder | None, npt.NDArray[np.float32] | None]:
        """Learn a map of the codes, and place the test rows on it (n, 2); None without a map."""
        prepared, (test, y) = self.prepared, self.prepared.test
        projector = learn_projector(autoencoder, prepared.train, self.job.seed)
        codes = autoencoder.transform(test)
        if not len(test) or (projector is None and codes.shape[1] > FLAT):
            return projector, None
        places = place(codes, projector)
        classes = y if prepared.data.classes else None
        count, quality = measure_projection(autoencoder, places, test, classes, seed=self.job.seed)
        metrics["map"] = {
            "rows": count,
            "ways": {name: found._asdict() for name, found in quality.items()},
        }
        return projector, None if projector is None else places

    def classify(
        self, autoencoder: Autoencoder, pca: Any, metrics: dict[str, Any]
    ) -> FewLabelClassifier | FewLabelRegressor:
        """Compare the methods, and fit the best mode, or that asked for, for the run folder."""
        plan = self.prepared.plan
        assert plan is not None
        records = few_labels.compare(
            self.job,
            self.prepared,
            autoencoder,
            pca,
            self.folder.read_lines("few_labels.jsonl"),
            lambda done: self.folder.write_lines("few_labels.jsonl", done),
            self.progress,
        )
        data, task = self.prepared.data, job_task(self.prepared.data)
        metrics["few_labels"] = few_labels.summarise(records, task.main, task.second)
        best = self.job.method or few_labels.best_method(metrics["few_labels"], task.main)
        own = [r for r in records if r["method"] == best]
        metrics |= {
            "best_method": best,
            "method": self.job.method,
            "evaluated_on": plan.evaluated_on,
            **task.figures(best, own, data),
        }
        given = few_labels.rows_for(best, self.prepared, plan.final)
        model = few_labels.fit_method(
            best, self.job, self.prepared, autoencoder, given, draw=0, progress=self.progress
        )
        error = typical_error(model)
        metrics |= {
            "said": [*model.summary_, *([] if error is None else [f"Numbers are {error}."])],
            "temperature": model.temperature_,
            "accuracy_estimate": model.accuracy_estimate_,
        }
        return model

    def timing(self, history: Sequence[Epoch], total: float) -> dict[str, Any]:
        """Return how long what took; ``total`` includes what an interruption left finished."""
        seconds = sum(epoch.seconds for epoch in history)
        rows = len(self.prepared.rows.train)
        few = self.folder.read_lines("few_labels.jsonl")
        return {
            "train_seconds": seconds,
            "epochs": len(history),
            "rows_per_second": rows * len(history) / seconds,
            "few_label_seconds": sum(r["seconds"] for r in few),
            "total_seconds": total,
            "peak_memory_mb": peak_memory_mb(),
        }


@contextmanager
def _collect_warnings() -> Iterator[list[str]]:
    """Gather what cuello warns of, so that it reaches the report too."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        # Few labels and many classes are what this program is for, no sign of a regression.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        yield texts
    for warning in caught:
        if issubclass(warning.category, CuelloWarning):
            texts.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
