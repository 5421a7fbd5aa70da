"""Tiny runs, trained once, and their pages in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine
from web_samples import EVIL, Made

import visiting
from cuello import fit
from cuello.few_label import FewLabelClassifier
from visiting import Visit


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Train: images of three classes with 12 labels; the same without; in one latent; tables."""
    folder = tmp_path_factory.mktemp("web")
    digits = load_digits(n_class=3)
    for i, (image, kind) in enumerate(zip(digits.images[:150], digits.target, strict=False)):
        place = folder / "digits" / ("zero", "one", EVIL)[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(place / f"d{i:03}.png")
    wine = load_wine()
    columns = [*wine.feature_names[:5], EVIL]
    lines = [",".join(columns)] + [",".join(map(str, row[:6])) for row in wine.data[:90]]
    (folder / "wine.csv").write_text("\n".join(lines))
    waves = np.sin(np.arange(9)[:, None] * np.linspace(0.2, 1, 40)[:, None, None])
    np.save(folder / "waves.npy", waves.astype(np.float32))
    small: dict[str, Any] = {"hidden": (32,), "epochs": 40, "repeats": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FewLabelClassifier.__init__.__kwdefaults__, "epochs", 2)
        fit(folder / "digits", labels=12, latent_dim=2, out=folder / "plane", **small)
    fit(folder / "digits", kind="plain", latent_dim=4, out=folder / "four", **small)
    fit(folder / "digits", latent_dim=1, out=folder / "strip", **small)
    fit(folder / "wine.csv", latent_dim=2, out=folder / "table", **small)
    sequence = {**small, "hidden": (8,), "epochs": 2}
    fit(folder / "waves.npy", network="sequence", latent_dim=2, out=folder / "waves", **sequence)
    return Made(folder)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with visiting.chromium() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Any, made: Made) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens the page of a run, or of two, and waits for its models."""
    contexts = []

    def open_page(names: str = "plane", **options: Any) -> Visit:
        context, opened = visiting.open_file(chromium, made.page(names), **options)
        contexts.append(context)
        opened.page.wait_for_selector("html[data-models]")
        return opened

    yield open_page
    for context in contexts:
        context.close()
