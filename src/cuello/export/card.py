"""The card of a model: what it is, what it was made of, what it reaches, and how to use its files.

Laid out as Hugging Face has it: a head of YAML, and Markdown below. It names no file or folder of
the machine that the model was trained on, so it can be published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cuello.errors import RunError
from cuello.export.convert import Exported
from cuello.kinds import KINDS
from cuello.report.measures import measures, method_name
from cuello.run import Run

__all__ = ["model_card"]

_VERSIONS = ("cuello", "torch", "scikit-learn")
_MOST_NAMES = 30


def model_card(run: Run, models: Mapping[str, Exported], why_none: str = "") -> str:
    """Write it.

    Parameters
    ----------
    run : Run
        An opened run folder.
    models : mapping of str to Exported
        The ONNX files beside the card; may be empty.
    why_none : str
        Why there are none, in a sentence.

    Raises
    ------
    RunError
        If ``metrics.json`` is missing, or a part of it or of ``config.json``.
    """
    metrics = run.folder.read_json("metrics.json")
    try:
        parts = [
            _head(run, metrics),
            f"# {_name(run)}\n\n{_what(run)}",
            f"## Data\n\n{_data(run)}",
            f"## Training\n\n{_training(run, metrics)}",
            f"## What it reaches\n\n{_results(run, metrics)}",
            f"## Files\n\n{_files(run, models, why_none)}",
            f"## Limits\n\n{_limits(run)}",
        ]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.folder.path}: config.json or metrics.json is damaged or of another version "
            f"({type(error).__name__}: {error}); restore the folder or run the fit again."
        ) from error
    return "\n\n".join(parts) + "\n"


def _name(run: Run) -> str:
    return f"{run.config['data']['name']}: {run.autoencoder.kind} autoencoder"


def _head(run: Run, metrics: Mapping[str, Any]) -> str:
    """Return the YAML; texts are written as JSON, which is YAML whatever they hold."""
    task = _hub_task(run)
    figures = [("mse", "test MSE of reconstructions", metrics["reconstruction"]["test_mse"])]
    for row in _own_rows(metrics):
        figures += [(m.key, m.name, row[f"{m.key}_mean"]) for m in measures(metrics)]
    lines = [
        "---",
        "library_name: cuello",
        f"pipeline_tag: {task}",
        f"tags: {_yaml(['autoencoder', run.autoencoder.kind])}",
        "model-index:",
        f"- name: {_yaml(_name(run))}",
        "  results:",
        f"  - task: {{type: {task}}}",
        f"    dataset: {{name: {_yaml(run.config['data']['name'])}, type: other}}",
        "    metrics:",
    ]
    for key, name, value in figures:
        lines.append(f"    - {{type: {key}, name: {_yaml(name)}, value: {_yaml(float(value))}}}")
    return "\n".join([*lines, "---"])


def _hub_task(run: Run) -> str:
    image = run.config["data"].get("encoding", {}).get("type") == "images"
    if run.classifier is None:
        return "image-feature-extraction" if image else "feature-extraction"
    if run.task == "regression":
        return "tabular-regression"
    return "image-classification" if image else "tabular-classification"


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _own_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the row of the method that the folder keeps, if there is one."""
    return [r for r in metrics["few_labels"] if r["method"] == metrics["best_method"]]


def _what(run: Run) -> str:
    model = run.autoencoder
    kind, latents = KINDS[model.kind], model.latent_dim_
    told = {
        "multiclass": f"A classifier of {len(run.classes)} classes: {_listed(run.classes)}.",
        "multilabel": f"A classifier says which of these hold: {_listed(run.properties)}.",
        "regression": "A regressor estimates a number.",
    }
    weights = sum(parameter.numel() for parameter in model.module_.parameters())
    lines = [
        f"An encoder makes {latents} number{'s' * (latents > 1)} of a row of shape "
        f"{tuple(model.shape_)}; a decoder makes a row of them again.",
        *([told[run.task]] if run.classifier is not None else []),
        f"Kind: {model.kind}. {kind.summary} Source: {kind.paper}.",
        f"Network: {model.network}, {weights:,} weights.",
    ]
    return "\n".join(lines)


def _data(run: Run) -> str:
    data, scaling = run.config["data"], run.autoencoder.scaling_
    units = "Each column has units of its own"
    if len(scaling.offset) == 1:
        low, high = (scaling.offset[0] + scaling.width[0] * x for x in (scaling.low, scaling.high))
        units = f"Values of training rows lie within {low:.6g} and {high:.6g}"
    lines = [
        f"{data['name']}; {', '.join(f'{n:,} rows for {p}' for p, n in data['rows'].items())}.",
        f"{units}; what the model is given must be in the units of the training rows.",
    ]
    names = [column["name"] for column in data.get("encoding", {}).get("columns", ())]
    return "\n".join([*lines, *([f"Columns: {_listed(names)}."] if names else [])])


def _training(run: Run, metrics: Mapping[str, Any]) -> str:
    how, chosen = run.autoencoder.training_config_, run.config["autoencoder"]["resolved"]
    lines = [
        f"The autoencoder: loss {chosen['loss']}, optimizer {how.optimizer}, learning rate "
        f"{how.learning_rate:g}, {how.batch_size} rows a step, {how.epochs} epochs at most."
    ]
    for row in _own_rows(metrics) if run.classifier is not None else []:
        assert run.classifier is not None
        lines += [f"From {row['labels']} labels, method {run.classifier.method_}:", ""]
        lines += [f"- {said}" for said in run.classifier.summary_]
    versions = run.config["versions"]
    made = ", ".join(f"{name} {versions[name]}" for name in _VERSIONS)
    return "\n".join([*lines, "", f"Made with {made}."])


def _results(run: Run, metrics: Mapping[str, Any]) -> str:
    quality = metrics["reconstruction"]
    lines = [
        "Reconstruction of test rows, mean squared error in the data's 0..1 scale: "
        f"{quality['test_mse']:.5f}; PCA with {quality['pca_components']} components: "
        f"{quality['pca_test_mse']:.5f}."
    ]
    if metrics["few_labels"]:
        main, second = measures(metrics)
        lines += [
            "",
            f"Methods on the {metrics['evaluated_on']}; * is the one in this folder:",
            "",
            f"| method | labels | {main.title} | {second.title} |",
            "|---|---|---|---|",
        ]
    for row in metrics["few_labels"]:
        mark = " *" if row["method"] == metrics["best_method"] else ""
        name = method_name(row["method"], metrics)
        cells = [name + mark, str(row["labels"]), *_texts(row, metrics)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _texts(row: dict[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    return [measure.text(row) for measure in measures(metrics)]


def _files(run: Run, models: Mapping[str, Exported], why_none: str) -> str:
    lines = ["- `embeddings.parquet`: the embedding of every row (`z0`, `z1`, ...), and its label."]
    sizes: dict[str, tuple[int, ...]] = {
        "samples": run.autoencoder.shape_,
        "embeddings": (run.autoencoder.latent_dim_,),
        "probabilities": (len(run.properties or run.classes),),
        "predictions": (),
    }

    def described(name: str) -> str:
        return f"`{name}` ({', '.join(['batch', *map(str, sizes[name])])})"

    for name, found in models.items():
        lines.append(
            f"- `{name}.onnx`: {described(found.takes)} to {described(found.gives)}. "
            f"Differs from PyTorch by at most {found.difference:.0e} of the range of its values, "
            f"on {found.rows} rows{_tied(found)}."
        )
    if not models:
        return "\n".join([*lines, *(["", why_none] if why_none else [])])
    lines += ["", "Inputs are float32, any number of rows, in the data's own units:", ""]
    return "\n".join([*lines, "```python", *_example(run, models), "```"])


def _tied(found: Exported) -> str:
    if not found.tied:
        return ""
    return f"; {found.tied} more could not be compared, as rounding decides which neighbours vote"


def _example(run: Run, models: Mapping[str, Exported]) -> list[str]:
    lines = [
        "import numpy as np, onnxruntime",
        "",
        f"samples = np.zeros({(1, *run.autoencoder.shape_)}, dtype=np.float32)  # yours",
    ]
    for name, found in models.items():
        if found.takes == "samples":
            lines.append(f'{name} = onnxruntime.InferenceSession("{name}.onnx")')
            lines.append(
                f'{found.gives} = {name}.run(["{found.gives}"], {{"samples": samples}})[0]'
            )
    return lines


def _limits(run: Run) -> str:
    lines = [
        "- It knows samples like those that it was trained on. Any other gets an embedding and a "
        "prediction as well, and neither says that it is anomalous: compare the sample with its "
        "reconstruction.",
        "- The figures are of the test split of the same data; other data may fare worse.",
    ]
    if run.classifier is not None and run.task == "multiclass":
        lines.append("- A row of a class that is not in the list is given one that is.")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMES])
    return shown + (f" and {more} more" if more > 0 else "")
