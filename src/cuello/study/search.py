"""Search by Optuna: a tree-structured Parzen estimator proposes, Hyperband stops what lags behind.

What is known so far lies in a journal, one file that several processes, or machines that share its
folder, append to: each takes from it what the others have found.

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
from cuello.study.study import Study, estimator_options, measure
from cuello.train import Callbacks, Epoch

__all__ = ["run_search"]

_JUDGED = 1000  # validation rows whose error decides whether a trial goes on
_STUDY_NAME = "cuello"


def run_search(
    study: Study,
    prepared: Prepared,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run the trials of a search that its journal does not hold yet; return all finished ones.

    Parameters
    ----------
    study : Study
        With a ``search``.
    prepared : Prepared
        Its data.
    folder : Path
        Holds ``journal.log``.
    workers : int
        Processes that work on it here. Others, elsewhere, may do so at the same time.
    progress : callable
        Called with trials done, and all trials.

    Returns
    -------
    list of Record
        Options, seeds and measures of each trial; ``pruned`` where it was stopped early.

    Raises
    ------
    InputError
        If Optuna is not installed.
    RunError
        If the journal cannot be used.
    """
    optuna = _optuna()
    folder.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        _work(study, prepared, folder, progress)
    else:
        _work_in_processes(study, folder, workers, progress)
    found = _open_journal(optuna, study, folder)
    return [_trial_record(trial, study) for trial in found.trials if _is_done(optuna, trial)]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise InputError(
            "a search needs Optuna; install it with: pip install 'cuello[search]'; or give a grid."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _open_journal(optuna: Any, study: Study, folder: Path, worker: int = 0) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
        return optuna.create_study(
            study_name=_STUDY_NAME,
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


def _is_done(optuna: Any, trial: Any) -> bool:
    return trial.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def _work(
    study: Study,
    prepared: Prepared,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    worker: int = 0,
) -> None:
    """Take trials until there are enough of them, whoever ran them."""
    optuna = _optuna()
    found = _open_journal(optuna, study, folder, worker)

    def done() -> int:
        return sum(_is_done(optuna, trial) for trial in found.get_trials(deepcopy=False))

    while (count := done()) < study.trials:
        progress(count, study.trials)
        found.optimize(lambda trial: _run_trial(optuna, trial, study, prepared), n_trials=1)
    progress(min(done(), study.trials), study.trials)


def _run_trial(optuna: Any, trial: Any, study: Study, prepared: Prepared) -> float:
    own = {name: where.suggest(name, trial) for name, where in study.search.items()}
    trial.set_user_attr("options", own)
    options = estimator_options({**study.options, **own})
    results = []
    for seed in range(study.seeds):
        model = Autoencoder(**options, random_state=seed)
        # Only the first seed is compared on the way: later ones have no others at their epoch.
        epoch = _judge(optuna, trial, model, prepared, study) if seed == 0 else None
        callbacks = Callbacks(epoch=epoch) if epoch else Callbacks()
        try:
            model.fit(
                prepared.train,
                prepared.known_labels,
                validation=prepared.validation,
                callbacks=callbacks,
            )
        except DivergedError as error:
            trial.set_user_attr("diverged", str(error))
            raise optuna.TrialPruned from error
        results.append(measure(model, prepared))
    trial.set_user_attr("measured", results)
    return float(np.mean([result[study.measure] for result in results]))


def _judge(
    optuna: Any, trial: Any, model: Autoencoder, prepared: Prepared, study: Study
) -> Callable[[Epoch], None]:
    """Report the error of validation rows after each epoch, and stop a trial that lags behind."""
    rows = prepared.validation[:_JUDGED]
    width = unit_width(prepared.train)

    def judge(epoch: Epoch) -> None:
        model.module_.eval()  # the next epoch sets it back to training
        error = sample_errors(rows / width, model.reconstruct(rows) / width).mean()
        trial.report(-float(error) if study.maximise else float(error), epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return judge


def _work_in_processes(
    study: Study, folder: Path, workers: int, progress: Callable[[int, int], None]
) -> None:
    optuna = _optuna()
    # Threads that the processes inherit would wait for one another: they are started anew.
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    processes = [
        context.Process(
            target=_worker, args=(study.to_json(), str(folder), i, threads), daemon=True
        )
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    found = _open_journal(optuna, study, folder)  # once: it reads on where it stopped
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(0.2)
            trials = found.get_trials(deepcopy=False)
            done = sum(_is_done(optuna, trial) for trial in trials)
            progress(min(done, study.trials), study.trials)
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
