"""A run folder: everything to reload, repeat and explain a model on another machine.

::

    config.json          options, versions, fingerprint of the data, state of the run
    model.safetensors    weights of autoencoder, classifier (or regressor) and map of codes, and
                         what the anomaly detector compares with
    metrics.json         what was measured
    history.jsonl        one line an epoch
    few_labels.jsonl     one line a label draw and method
    embeddings.parquet   the code of every row
    examples.npz         test rows beside their reconstructions, for the report
    report.html          the page
    checkpoint.safetensors   only while a training is not finished

Every file is written atomically, and none of them needs pickle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cuello import atomic
from cuello.anomalies import AnomalyDetector
from cuello.anomalies.records import arrays_of_detector, detector_of, record_detector
from cuello.errors import RunError
from cuello.estimators import Autoencoder
from cuello.estimators.records import autoencoder_of, projector_of, record_autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.records import classifier_of, record_classifier

__all__ = ["Models", "RunFolder"]

_RESULTS = (
    "model.safetensors",
    "metrics.json",
    "history.jsonl",
    "few_labels.jsonl",
    "embeddings.parquet",
    "examples.npz",
    "report.html",
    "checkpoint.safetensors",
    "config.json",
)


class Models(NamedTuple):
    """The estimators of a run; without labels there is no classifier."""

    autoencoder: Autoencoder
    classifier: FewLabelClassifier | FewLabelRegressor | None
    detector: AnomalyDetector | None
    projector: Autoencoder | None


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def checkpoint(self) -> Path:
        """State of a training that is not finished."""
        return self.path / "checkpoint.safetensors"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run, finished or not."""
        return (self.path / "config.json").is_file()

    @property
    def is_complete(self) -> bool:
        """Whether model, metrics and report are all there."""
        needed = ("model.safetensors", "metrics.json", "report.html")
        return all((self.path / name).is_file() for name in needed)

    def start(self, config: dict[str, Any], *, overwrite: bool = False) -> None:
        """Make the folder and write its configuration.

        Raises
        ------
        RunError
            If the folder holds a run (unless ``overwrite``), or anything else.
        """
        if self.exists and not overwrite:
            raise RunError(
                f"{self.path} already holds a run; continue it with --resume {self.path}, replace "
                "it with --overwrite, or choose another folder with --out."
            )
        if self.path.is_file():
            raise RunError(f"{self.path} is a file; choose a folder with --out.")
        if self.exists:
            # Only the files of a run are removed: whatever else a user keeps there stays. The
            # configuration goes last, so that a kill half-way leaves a folder that is still a run.
            for name in _RESULTS:
                (self.path / name).unlink(missing_ok=True)
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise RunError(
                f"{self.path} is not empty and holds no run; choose another folder with --out."
            )
        atomic.write_json(self.path / "config.json", config)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of the JSON files.

        Raises
        ------
        RunError
            If it is missing or damaged.
        """
        file = self.path / name
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(
                f"{file} does not exist; {self.path} is not a run folder, or its run is not "
                f"finished (continue it with: cuello fit --resume {self.path})."
            ) from None
        except (OSError, ValueError) as error:
            raise RunError(f"{file} is damaged ({error}); run the fit again.") from error
        if not isinstance(content, dict):
            raise RunError(f"{file} is damaged (it holds no JSON object); run the fit again.")
        return content

    def write_json(self, name: str, content: Any) -> None:
        """Write one of the JSON files."""
        atomic.write_json(self.path / name, content)

    def read_lines(self, name: str) -> list[dict[str, Any]]:
        """Read a file of one JSON object a line; a file that does not exist has none."""
        file = self.path / name
        try:
            return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise RunError(f"{file} is damaged ({error}); run the fit again.") from error

    def write_lines(self, name: str, records: list[dict[str, Any]]) -> None:
        """Write a file of one JSON object a line."""
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        atomic.write_bytes(self.path / name, text.encode())

    def write_arrays(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Write named arrays to a compressed ``.npz``."""

        def fill(temporary: Path) -> None:
            with temporary.open("wb") as f:  # a name without .npz would get it appended
                np.savez_compressed(f, allow_pickle=False, **arrays)

        atomic.write(self.path / name, fill)

    def read_arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Read what :meth:`write_arrays` wrote; a file that does not exist has none."""
        file = self.path / name
        try:
            with file.open("rb") as f, np.load(f, allow_pickle=False) as archive:
                return dict(archive)
        except FileNotFoundError:
            return {}
        except Exception as error:  # zipfile, zlib and NumPy each have their own
            raise RunError(f"{file} is damaged ({error}); run the fit again.") from error

    def save_models(
        self,
        autoencoder: Autoencoder,
        classifier: FewLabelClassifier | FewLabelRegressor | None,
        detector: AnomalyDetector | None = None,
        projector: Autoencoder | None = None,
    ) -> None:
        """Write weights, and into the configuration what rebuilds the estimators."""
        tensors = {f"autoencoder/{k}": v for k, v in autoencoder.module_.state_dict().items()}
        if classifier is not None:
            weights = classifier.module_.state_dict()
            tensors |= {f"classifier/{k}": v for k, v in weights.items()}
            tensors["held_out/scores"] = torch.from_numpy(classifier.held_out_scores_)
            tensors["held_out/labels"] = torch.from_numpy(classifier.held_out_labels_)
        if detector is not None:
            learned = arrays_of_detector(detector)
            tensors |= {f"detector/{name}": array for name, array in learned.items()}
        if projector is not None:
            tensors |= {f"map/{k}": v for k, v in projector.module_.state_dict().items()}
        own = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
        atomic.write(self.path / "model.safetensors", lambda t: save_file(own, t))
        config = self.read_json("config.json")
        config["autoencoder"] = record_autoencoder(autoencoder)
        config["classifier"] = None if classifier is None else record_classifier(classifier)
        config["detector"] = None if detector is None else record_detector(detector)
        config["map"] = None if projector is None else record_autoencoder(projector)
        self.write_json("config.json", config)

    def check_remote_code(self, model: object, *, trust_remote_code: bool) -> None:
        """Refuse to import the networks that a run names, unless its folder is trusted.

        Parameters
        ----------
        model : object
            Options of the autoencoder, as the configuration holds them.
        trust : bool
            Whether code that they name may run.
        """
        named = [model.get(w) for w in ("encoder", "decoder")] if isinstance(model, dict) else []
        if any(named) and not trust_remote_code:
            raise RunError(
                f"{self.path} was trained with its own networks: opening it imports and runs "
                f"{' and '.join(map(str, named))}. If you trust whoever wrote that folder, say so "
                "with trust_remote_code=True (--trust-remote-code)."
            )

    def load_models(self, *, trust_remote_code: bool = False) -> Models:
        """Rebuild the estimators; equal to the saved ones to the bit.

        Parameters
        ----------
        trust : bool
            Whether the networks that the folder names may be imported; without it nothing that a
            folder holds can run code.

        Raises
        ------
        RunError
            If a file is missing, damaged, or does not belong to the others, or is not trusted.
        """
        config = self.read_json("config.json")
        record = config.get("autoencoder")
        self.check_remote_code(
            record.get("params") if isinstance(record, dict) else None,
            trust_remote_code=trust_remote_code,
        )
        file = self.path / "model.safetensors"
        if not file.is_file():
            raise RunError(
                f"{file} does not exist: the run is not finished; continue it with: "
                f"cuello fit --resume {self.path}"
            )
        try:
            with safe_open(file, framework="pt") as f:
                tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
            parts: dict[str, dict[str, Any]] = {
                p: {} for p in ("autoencoder", "classifier", "held_out", "detector", "map")
            }
            for name, tensor in tensors.items():
                part, _, key = name.partition("/")
                parts[part][key] = tensor
            autoencoder = autoencoder_of(config["autoencoder"], parts["autoencoder"])
            record, classifier = config["classifier"], None
            if record is not None:
                held_out = [parts["held_out"].get(name) for name in ("scores", "labels")]
                classifier = classifier_of(record, parts["classifier"], autoencoder, *held_out)
            record, detector = config.get("detector"), None  # folders of before have none
            if record is not None:
                detector = detector_of(record, parts["detector"], autoencoder)
            record, projector = config.get("map"), None
            if record is not None:
                projector = projector_of(record, parts["map"], autoencoder)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise RunError(
                f"{self.path}: config.json and model.safetensors cannot be used together "
                f"({reason}); restore the folder or run the fit again."
            ) from error
        return Models(autoencoder, classifier, detector, projector)
