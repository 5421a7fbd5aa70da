"""Search by Optuna: a tree-structured Parzen estimator proposes, Hyperband stops what lags behind.

Finished trials lie in a journal, one file to which several processes, or machines that share its
folder, append: each learns from the trials of the others.

Sources: Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011; Li et al.,
"Hyperband", JMLR 18 (2018); Akiba et al., "Optuna", KDD 2019.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cuello.arrays import Record
from cuello.errors import Argument, DivergedError, InputError, RunError
from cuello.estimators import Autoencoder
from cuello.metrics import sample_errors
from cuello.run.examples import unit_width
from cuello.run.prepare import Prepared
from cuello.study.study import Study, estimator_options
from cuello.study.trials import measure
from cuello.train import Callback, Epoch
from cuello.train.progress import quiet

__all__ = ["run_search"]

_JUDGED = 1000  # validation samples whose error decides whether a trial goes on


def run_search(
    study: Study,
    prepared: Prepared,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run the trials that the journal of a search lacks, here in processes, and return all."""
    if workers == 1:
        _work(study, prepared, folder, progress)
    else:
        _work_in_processes(study, folder, workers, progress)
    return [_trial_record(trial, study) for trial in _finished(_open_journal(study, folder))]


def _open_journal(study: Study, folder: Path, worker: int = 0) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise InputError(
            "a search needs Optuna; install it with: pip install 'cuello[search]'; or give a grid."
        ) from error
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        return optuna.create_study(
            study_name="cuello",
            storage=storage,
            load_if_exists=True,
            direction="maximize" if study.maximise else "minimize",
            # Processes that start alike would propose alike.
            sampler=optuna.samplers.TPESampler(seed=study.split_seed + worker, multivariate=True),
            pruner=optuna.pruners.HyperbandPruner(),
        )
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{folder / 'journal.log'} cannot be used ({error})",
            remedy=["remove it, or write elsewhere with ", Argument("out")],
        ) from error


def _finished(journal: Any) -> list[Any]:
    trials = journal.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _work(
    study: Study,
    prepared: Prepared,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    worker: int = 0,
) -> None:
    """Take trials until there are enough of them, whoever ran them."""
    journal = _open_journal(study, folder, worker)
    while (count := len(_finished(journal))) < study.trials:
        progress(count, study.trials)
        journal.optimize(lambda trial: _run_trial(trial, study, prepared), n_trials=1)
    progress(study.trials, study.trials)


def _run_trial(trial: Any, study: Study, prepared: Prepared) -> float:
    import optuna

    varied = {name: searched.suggest(name, trial) for name, searched in study.search.items()}
    trial.set_user_attr("options", varied)
    options = estimator_options({**study.options, **varied})
    X, y = prepared.train, prepared.visible_labels
    results = []
    for seed in range(study.seeds):
        model = Autoencoder(**options, random_state=seed)
        # Only the first seed is compared on the way: later ones have no others at their epoch.
        callbacks = (
            Callback(on_epoch_end=_judge(trial, model, prepared, study)) if seed == 0 else None
        )
        try:
            with quiet():
                model.fit(X, y, validation=prepared.validation, callbacks=callbacks)
        except DivergedError as error:
            trial.set_user_attr("diverged", str(error))
            raise optuna.TrialPruned from error
        results.append(measure(model, prepared))
    trial.set_user_attr("measured", results)
    return float(np.mean([result[study.measure] for result in results]))


def _judge(
    trial: Any, model: Autoencoder, prepared: Prepared, study: Study
) -> Callable[[Epoch], None]:
    """Report the error of validation samples after each epoch; stop a trial that lags behind."""
    import optuna

    X = prepared.validation[:_JUDGED]
    width = unit_width(prepared.train)

    def judge(epoch: Epoch) -> None:
        model.module_.eval()  # the next epoch sets it back to training
        error = sample_errors(X / width, model.reconstruct(X) / width).mean()
        trial.report(-float(error) if study.maximise else float(error), epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return judge


def _work_in_processes(
    study: Study, folder: Path, workers: int, progress: Callable[[int, int], None]
) -> None:
    journal = _open_journal(study, folder)  # once: it reads on where it stopped
    # Threads that the processes inherit would wait for one another: they are started anew.
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    record = study.to_json()
    processes = [
        context.Process(target=_worker, args=(record, str(folder), i, threads), daemon=True)
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(0.2)
            progress(min(len(_finished(journal)), study.trials), study.trials)
    finally:
        for process in processes:
            process.terminate()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise RunError(
            f"{len(failed)} of {workers} workers stopped (exit code {failed[0]}); finished trials "
            "are kept",
            remedy=["run it with ", Argument("workers", 1), " to see why"],
        )


def _worker(record: dict[str, Any], folder: str, number: int, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    study = Study.of(record)
    _work(study, study.prepare(), Path(folder), worker=number)


def _trial_record(trial: Any, study: Study) -> Record:
    measured = trial.user_attrs.get("measured", [])
    names = {name for result in measured for name in result}
    means = {
        name: float(np.mean([r[name] for r in measured]))
        for name in sorted(names)
        if all(r.get(name) is not None for r in measured)
    }
    return {
        "options": {**study.options, **trial.user_attrs.get("options", {})},
        "seed": 0,
        "trial": trial.number,
        "pruned": not measured,
        "diverged": "diverged" in trial.user_attrs,
        **means,
    }
