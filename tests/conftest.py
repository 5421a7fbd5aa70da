"""Shared by all tests: one thread a worker, and the same examples in every run."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import cuello
from cuello.export import convert
from cuello.few_label import FewLabelClassifier, fitting
from cuello.few_label.methods import columns, mean_teacher
from cuello.run import RunFolder

# The same examples in every run, and no deadline: time says nothing on a busy machine.
settings.register_profile("cuello", derandomize=True, deadline=None)
settings.load_profile("cuello")

# Two workers with two threads each would fight over two cores: threads that wait for one another
# made a test ten times as slow. Programs that tests start inherit the environment, so that their
# weights can be compared to the bit.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
threadpool_limits(1)
torch.set_num_threads(1)


EXPORTING = (
    "tests/export/",
    "tests/web/",
    "tests/server/",  # all share runs, and some serve the page
    "tests/cli/test_export_command.py",
    "tests/cli/test_page_command.py",
    "tests/test_readme.py",
    "docs/export.md",
    "src/cuello/export/",
    "src/cuello/web/",
)
"""Tests that export networks: for one worker, as to import what that takes costs seconds."""
LONGEST = (
    *EXPORTING,
    "tests/test_kinds_contract.py",
    "tests/report/test_report_browser.py",
    "tests/cli/",
    "tests/estimators/",
    "tests/few_label/",
    "tests/run/",
    "tests/test_networks_contract.py",
    "tests/train/",
)
"""What takes longest, first: otherwise one worker ends long after the other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "exports" if nodeid.startswith(EXPORTING) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # by their number of tests, which says little
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def position(item: pytest.Item) -> int:
        found = (i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start))
        return next(found, len(LONGEST))

    items.sort(key=position)


def pytest_collection_finish() -> None:
    # What is imported lives until the end: not to be looked through at each collection of garbage,
    # of which exports, that make many small objects, asked for thousands.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def _short_maps() -> Iterator[None]:
    # Every run with more than two latents learns a map of its codes: seconds each.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.estimators.projection.STEPS", 20)
        patch.setattr("cuello.estimators.projection.EPOCHS", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _defaults_of_few_labels() -> Iterator[None]:
    # Tests shorten what few labels take by other defaults in FewLabelClassifier.__init__, whose
    # options come from a record.
    options = fitting._FEW_LABEL_OPTIONS
    complete, changed = options.complete, FewLabelClassifier.__init__.__kwdefaults__

    def complete_with(given: Mapping[str, Any]) -> dict[str, Any]:
        return complete({k: v for k, v in changed.items() if k in options.parameters} | dict(given))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "complete", complete_with)
        yield


@pytest.fixture(scope="session", autouse=True)
def _brief_choice() -> Iterator[None]:
    # Every run with labels chooses among methods, some of which take minutes by default.
    with pytest.MonkeyPatch.context() as patch:
        trees: Any = columns._ForestOptions.__init__.__kwdefaults__
        patch.setitem(trees, "trees", 5)
        for name in ("PASSES", "MIN_STEPS"):
            patch.setattr(mean_teacher, name, 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_table_of_onnx_operators() -> Iterator[None]:
    # PyTorch reads all its translations to ONNX, and looks through all operators that it could
    # take apart, anew for every export: more than half of the time of one. To import what does it
    # takes seconds, too: by the first test that exports.
    to_onnx, ready = convert._to_onnx, []

    def with_one_table(run: Any, name: str, part: Any) -> bytes:
        if not ready:
            _keep_tables(patch)
            ready.append(True)
        return to_onnx(run, name, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_to_onnx", with_one_table)
        yield


def _keep_tables(patch: pytest.MonkeyPatch) -> None:
    # PyTorch also registers ten thousand kernels for each table, and evaluates the annotations of
    # a function for every one.
    from torch._C import DispatchKey
    from torch._export.utils import _collect_all_valid_cia_ops
    from torch._ops import OperatorBase
    from torch.onnx._internal.exporter import _decomp
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    def py_impl(operator: OperatorBase, key: Any) -> Callable[[Any], Any]:
        if not isinstance(key, DispatchKey):
            return register(operator, key)

        def inner(kernel):  # type: ignore[no-untyped-def]
            assert key not in operator.py_kernels
            operator.py_kernels[key] = kernel
            operator._dispatch_cache.clear()
            return kernel

        return inner

    register = OperatorBase.py_impl
    whole = _decomp.create_onnx_friendly_decomposition_table
    found: list[Any] = []

    def of_the_same_registry(operators: Any) -> Any:
        if not found:
            found.append(whole(operators))
        return found[0]

    patch.setattr(OperatorBase, "py_impl", py_impl)
    table = functools.cache(ONNXRegistry.from_torchlib)
    patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(table))
    patch.setattr(_decomp, whole.__name__, of_the_same_registry)
    composite = functools.cache(_collect_all_valid_cia_ops)
    for module in ("exported_program", "decomp_utils"):
        patch.setattr(f"torch.export.{module}._collect_all_valid_cia_ops", composite)


@pytest.fixture(scope="session")
def session_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunFolder]:
    """Return a function that gives a small finished run by the kind of its data, made once.

    ``images`` (400 of 8x8 in four classes, 40 of them labelled), ``unlabelled`` (the same without
    labels), ``table`` (numbers to predict), ``multilabel`` (three properties), ``sequences`` (two
    classes, of different lengths). The data is ``data.npz`` beside the run. Whoever changes a run
    copies it first.
    """
    made: dict[str, RunFolder] = {}

    def run(name: str) -> RunFolder:
        if name not in made:
            place = tmp_path_factory.mktemp(name)
            arrays, options = _small_data(name)
            np.savez(place / "data.npz", **arrays)
            with pytest.MonkeyPatch.context() as patch:
                # The regressor has the same defaults.
                defaults: Any = FewLabelClassifier.__init__.__kwdefaults__
                patch.setitem(defaults, "epochs", 5)
                patch.setitem(defaults, "learning_rates", (0.01,))
                patch.setitem(defaults, "weight_decay", 0.01)
                patch.setitem(defaults, "augment", None)
                made[name] = _fit_small(place, options)
        return made[name]

    return run


def _fit_small(place: Path, options: dict[str, Any]) -> RunFolder:
    common = {"hidden": (16,), "latent_dim": 3, "epochs": 3, "repeats": 1, "out": place / "run"}
    return cuello.fit(place / "data.npz", **common | options)


def _small_data(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    if name in ("images", "unlabelled"):
        digits = load_digits(n_class=4)
        X, y = np.round(digits.images[:400] * 15.9).astype(np.uint8), digits.target[:400]
        return {"X": X, "y": y}, {"labels": 40} if name == "images" else {}
    if name == "sequences":
        y, time = np.arange(90) % 2, np.arange(9)
        X = np.sin(time * (0.3 + y[:, None]) + rng.random((90, 1)))[..., None].astype(np.float32)
        X[time >= rng.integers(4, 10, 90)[:, None]] = np.nan
        X[0] = np.sin(time)[:, None]
        return {"X": X, "y": y}, {"labels": 10, "network": "sequence", "latent_dim": 2}
    X = rng.normal(size=(160, 6)).astype(np.float32)
    score = X @ rng.normal(size=(6, 3))
    if name == "table":
        return {"X": X, "y": score[:, 0]}, {"labels": 60, "task": "regression"}
    assert name == "multilabel"
    return {"X": X, "y": (score > 0).astype(np.float64)}, {"labels": 60, "task": "multilabel"}
