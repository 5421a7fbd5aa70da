"""What the README tells a newcomer to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("cuello ")]


@pytest.mark.slow
def test_shell_commands(tmp_path):
    assert len(shell_lines()) == 12
    said = ""
    for line in shell_lines():
        program, *arguments = shlex.split(line)
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said += done.stdout
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
