"""What the README tells a newcomer to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cuello.cli import main
from cuello.few_label import FewLabelClassifier

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("cuello ")]


def shorten(patch):
    """Train for a few steps, and leave nothing to held-out labels."""
    patch.setattr("cuello.estimators.options._AUTO_STEPS", 100)
    quick = {"epochs": 5, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
    for name, value in quick.items():
        patch.setitem(FewLabelClassifier.__init__.__kwdefaults__, name, value)


@pytest.mark.slow
@pytest.mark.parametrize("length", ["short", pytest.param("default", marks=pytest.mark.long)])
def test_shell_commands(tmp_path, monkeypatch, capsys, length):
    lines = shell_lines()
    assert len(lines) == 12
    if length == "short":
        shorten(monkeypatch)
    monkeypatch.chdir(tmp_path)
    # A start takes seconds: a single line is typed to a program of its own.
    (typed,) = [line for line in lines if line.startswith("cuello info ")]
    lines.remove(typed)
    for line in lines:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code, f"{line}\n{capsys.readouterr().err}"
    said = capsys.readouterr().out
    program, *arguments = shlex.split(typed)
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert pq.read_metadata(tmp_path / "embeddings.parquet").num_rows == 1797
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1798
    assert (tmp_path / "clean.npz").exists()
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 1798
    assert len((tmp_path / "projection.csv").read_text().splitlines()) == 1798
    written = ("page.html", "denoised.npz", "samples.png", "runs/digits-export/README.md")
    assert all((tmp_path / name).exists() for name in written)
    assert "accuracy" in said


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_links_point_to_files():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
