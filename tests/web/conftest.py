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
from cuello.export import onnx_models
from cuello.few_label import FewLabelClassifier
from cuello.run import Run
from visiting import SharedVisits, Visit


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
        quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
        for name, value in quick.items():
            patch.setitem(FewLabelClassifier.__init__.__kwdefaults__, name, value)
        fit(folder / "digits", labels=12, latent_dim=2, out=folder / "plane", **small)
    fit(folder / "digits", kind="plain", latent_dim=4, out=folder / "four", **small)
    fit(folder / "digits", latent_dim=1, out=folder / "strip", **small)
    fit(folder / "wine.csv", latent_dim=2, out=folder / "table", **small)
    sequence = {**small, "hidden": (8,), "epochs": 2}
    fit(folder / "waves.npy", network="sequence", latent_dim=2, out=folder / "waves", **sequence)
    return Made(folder)


@pytest.fixture(scope="session", autouse=True)
def _exported_once() -> Iterator[None]:
    # The same runs are on several pages, and to export one costs seconds.
    exported: dict[bytes, dict[str, bytes]] = {}

    def export_once(run: Run) -> dict[str, bytes]:
        files = sorted(run.folder.path.glob("*.safetensors"))
        key = b"".join(file.read_bytes() for file in files)
        if key not in exported:
            exported[key] = onnx_models(run)
        return exported[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.export.onnx_models", export_once)
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with visiting.chromium() as browser:
        yield browser


FIRST_STATE = """async () => {
    for (const button of document.querySelectorAll(".legend [aria-pressed=false]")) button.click();
    const mode = document.querySelector("[data-mode]"), grid = document.getElementById("grid");
    const chosenMode = mode.getAttribute("aria-pressed") === "true";
    if (chosenMode === matchMedia("(pointer: coarse)").matches) mode.click();
    if (grid.checked) grid.click();
    const colour = document.getElementById("colour");
    const chosen = document.getElementById("projection");
    if (colour.options.length) colourBy(colour.options[0].value);
    if (chosen.selectedIndex > 0) {
        chosen.selectedIndex = 0;
        await showProjection(chosen.value);
    }
    for (const plot of app.plots) {
        plot.mark({ path: null, snap: true });
        await plot.resetView();
    }
    document.getElementById("snap").checked = true;
    setMarked([]);
    document.getElementById("tab-decode").click();
    document.activeElement.blur();
    scrollTo(0, 0);
    await look({ row: 0, place: 0 });
}"""


def reset(opened: Visit) -> None:
    opened.page.mouse.move(0, 0)
    opened.page.evaluate(FIRST_STATE)
    opened.becomes("app.subject.row", 0)


@pytest.fixture(scope="module")
def _shared(chromium: Any) -> Iterator[SharedVisits]:
    shared = SharedVisits(chromium, reset)
    yield shared
    shared.close()


@pytest.fixture
def visit(_shared: SharedVisits, made: Made) -> Callable[..., Visit]:
    """Return a function that opens the page of a run, or of two, and waits for its models."""

    def open_page(names: str = "plane", **options: Any) -> Visit:
        opened = _shared.visit(made.page(names), **options)
        opened.page.wait_for_selector("html[data-models]")
        return opened

    return open_page
