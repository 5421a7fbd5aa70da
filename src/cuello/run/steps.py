"""The steps of the main job, from the trained autoencoder to the files of the run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.decomposition import PCA

from cuello.anomalies import AnomalyDetector
from cuello.arrays import Float32s, Floats, Record
from cuello.errors import CuelloWarning, DivergedError
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.estimators.projection import FLAT
from cuello.few_label import METHODS, FewLabelClassifier
from cuello.few_label.cross_validation import warn_of_width
from cuello.few_label.unpredicted import find_unpredicted
from cuello.run import few_labels
from cuello.run.embeddings import learn_projection, measure_projection, write_embeddings
from cuello.run.examples import example_arrays, measure_reconstruction
from cuello.run.folder import RunFolder
from cuello.run.job import PROJECTION, TRAINING, TRAINING_ALONE, Budget, Job
from cuello.run.live import LiveProgress
from cuello.run.models import FewLabelModel, Models, save_models
from cuello.run.predictions import typical_error
from cuello.run.prepare import Prepared
from cuello.train import Callback, Epoch
from cuello.train.progress import epoch_text, quiet

__all__ = ["JobSteps", "collect_warnings"]


@dataclass(frozen=True)
class JobSteps:
    """The steps of one job, in order; each leaves its result in the folder."""

    job: Job
    prepared: Prepared
    folder: RunFolder
    progress: LiveProgress
    budget: Budget

    def run(self) -> RunFolder:
        """Do all steps that are missing, and return the finished folder."""
        done = self.folder.read_lines("few_labels.jsonl")
        self.budget.spent += sum(r["seconds"] for r in done)
        with collect_warnings() as notes, quiet():
            autoencoder = self.pretrain()
            pca = fit_pca(
                autoencoder.scaling_.apply(self.prepared.train),
                autoencoder.latent_dim_,
                self.job.seed,
            )
            reconstruction, errors = measure_reconstruction(autoencoder, pca, self.prepared)
            metrics: Record = {
                "data": self.prepared.describe(),
                "reconstruction": reconstruction,
                "diagnosis": autoencoder.diagnosis_.statistics,
                "findings": list(autoencoder.diagnosis_.findings),
                "few_labels": [],
            }
            detector, all_scores, anomaly_scores = self.detect(autoencoder, metrics)
            projection, coordinates = self.project(autoencoder, metrics)
            classifier = None
            if self.prepared.plan is not None:
                classifier = self.classify(autoencoder, pca, metrics)
        examples = example_arrays(
            autoencoder,
            pca,
            self.prepared,
            errors=errors,
            anomaly_scores=anomaly_scores,
            coordinates=coordinates,
            seed=self.job.seed,
        )
        self.folder.write_arrays("examples.npz", examples)
        write_embeddings(
            self.folder.embeddings,
            self.prepared.data,
            autoencoder,
            self.prepared.rows,
            None if self.prepared.plan is None else self.prepared.plan.final,
            all_scores,
        )
        epochs = len(autoencoder.history_)
        seconds = sum(epoch.seconds for epoch in autoencoder.history_)
        records = self.folder.read_lines("few_labels.jsonl")
        metrics["timing"] = {
            "train_seconds": seconds,
            "epochs": epochs,
            "rows_per_second": len(self.prepared.rows.train) * epochs / seconds,
            "few_label_seconds": sum(r["seconds"] for r in records),
            "total_seconds": self.budget.elapsed,
            "peak_memory_mb": _peak_memory_mb(),
        }
        metrics["time_budget"] = {"seconds": self.budget.seconds, "losses": self.budget.losses}
        self.folder.write_json("metrics.json", metrics)
        save_models(self.folder, Models(autoencoder, classifier, detector, projection))
        notes = [*self.folder.config()["notes"], *self.budget.notes(), *notes]
        self.folder.set_config(notes=list(dict.fromkeys(notes)), status="finished")
        self.folder.checkpoint.unlink(missing_ok=True)
        return self.folder

    def pretrain(self) -> Autoencoder:
        """Train on all training samples; only kinds that need classes see the few labels."""
        autoencoder = self.job.autoencoder()
        share = TRAINING_ALONE if self.prepared.plan is None else TRAINING
        autoencoder.set_params(max_time=self.budget.share(share))
        now: list[Epoch] = []
        steps = (0, 1)

        def on_step_end(done: int, total: int) -> None:
            nonlocal steps
            steps = done, total
            self.progress.update("autoencoder", done, total)

        def on_epoch_end(record: Epoch) -> None:
            now.append(record)
            self.progress.after_epoch(record, autoencoder)
            text = epoch_text(record, autoencoder.training_config_.epochs)
            self.progress.update("autoencoder", *steps, text)

        shown = Callback(on_step_end=on_step_end, on_epoch_end=on_epoch_end)
        try:
            autoencoder.fit(
                self.prepared.train,
                self.prepared.visible_labels,
                validation=self.prepared.validation,
                checkpoint=self.folder.checkpoint,
                callbacks=[shown, *self.job.trackers(self.folder.path)],
            )
        except DivergedError:
            save_models(self.folder, Models(autoencoder))
            self.folder.set_config(status="diverged")
            raise
        history = autoencoder.history_
        self.folder.write_lines("history.jsonl", [asdict(epoch) for epoch in history])
        self.budget.spent += sum(epoch.seconds for epoch in history[: len(history) - len(now)])
        self.budget.note_training("the autoencoder", autoencoder)
        return autoencoder

    def detect(
        self, autoencoder: Autoencoder, metrics: Record
    ) -> tuple[AnomalyDetector | None, Floats | None, Floats | None]:
        """Fit an anomaly detector; also return its scores of all samples, and of the test samples.

        Its threshold follows from validation samples, or else from test samples.
        """
        prepared = self.prepared
        held_out = prepared.validation if len(prepared.validation) else prepared.test[0]
        if not len(held_out):
            return None, None, None
        detector = AnomalyDetector(autoencoder, random_state=self.job.seed)
        detector.learn(prepared.train, held_out)
        metrics["anomalies"] = {
            "threshold": detector.threshold_,
            "false_positive_rate": list(detector.false_positive_rate_),
            "held_out_rows": detector.scores_.n_held_out,
        }
        parts = [X for X in (prepared.data.X, prepared.data.X_test) if X is not None]
        by_part = [detector.anomaly_scores(X) for X in parts]
        all_scores = np.concatenate(by_part)
        rows = prepared.rows.test
        scores = by_part[1] if rows is None else by_part[0][rows]
        if not len(scores):
            return detector, all_scores, None
        metrics["anomalies"] |= {
            "test_rows": len(scores),
            "test_count": int((scores > detector.threshold_).sum()),
        }
        return detector, all_scores, scores

    def project(
        self, autoencoder: Autoencoder, metrics: Record
    ) -> tuple[Autoencoder | None, Float32s | None]:
        """Learn a projection of the embeddings, and return coordinates of test samples (n, 2)."""
        prepared, (test, y) = self.prepared, self.prepared.test
        limit = self.budget.share(PROJECTION)
        projection = learn_projection(autoencoder, prepared.train, self.job.seed, limit)
        self.budget.note_training("the projection", projection)
        embeddings = autoencoder.transform(test)
        if not len(test) or (projection is None and embeddings.shape[1] > FLAT):
            return projection, None
        xy = embeddings if projection is None else projection.transform(embeddings)
        classes = y if prepared.data.classes else None
        count, quality = measure_projection(autoencoder, xy, test, classes, seed=self.job.seed)
        metrics["projection"] = {
            "rows": count,
            "methods": {name: measured._asdict() for name, measured in quality.items()},
        }
        return projection, None if projection is None else xy

    def classify(self, autoencoder: Autoencoder, pca: PCA, metrics: Record) -> FewLabelModel:
        """Compare the methods, and keep the one of the job as it was measured."""
        plan = self.prepared.plan
        assert plan is not None
        records, models = few_labels.compare_methods(
            self.job, self.prepared, autoencoder, pca, self.folder, self.progress, self.budget
        )
        data = self.prepared.data
        summary = few_labels.summarise_methods(records, data.task, is_table=len(data.shape) == 1)
        method = self.job.method
        kept = next(r["kept_method"] for r in records if r["method"] == method)
        metrics |= {
            "few_labels": summary,
            "method": method,
            "evaluated_on": plan.evaluated_on,
            **few_labels.figure_data(method, records, data),
        }
        model = models.get(method)
        if model is None:  # measured before an interruption, or without the labels held out
            # What took long is chosen anew: further labels may need less.
            again = kept if METHODS[kept].is_quick and plan.held_out is not None else method
            samples = few_labels.samples_for(again, self.prepared, plan.final)
            model = few_labels.fit_method(
                again, self.job, self.prepared, autoencoder, samples, draw=0, progress=self.progress
            )
        elif model.accuracy_estimate_ is not None:
            warn_of_width(
                model.accuracy_estimate_, int(np.isfinite(model.held_out_scores_[:, 0]).sum())
            )
        if isinstance(model, FewLabelClassifier):
            for finding in find_unpredicted(model, data.X, data.classes or data.properties):
                metrics["findings"].append(finding)
                warnings.warn(finding, CuelloWarning, stacklevel=2)
        error = typical_error(model)
        metrics |= {
            "kept_method": model.method_,
            "summary": [*model.summary_, *([f"Numbers are {error}."] if error else [])],
            "temperature": model.temperature_,
            "accuracy_estimate": model.accuracy_estimate_,
        }
        return model


def _peak_memory_mb() -> float | None:
    """Return the most memory this process has held, in MB; None where it cannot be asked."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Gather the warnings of cuello, so that they reach the report too."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CuelloWarning)
        # Few labels and many classes are normal here, no sign of a regression.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        yield texts
    for warning in caught:
        if issubclass(warning.category, CuelloWarning):
            texts.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
