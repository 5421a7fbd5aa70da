"""The rooms of the package: who may import whom, and how large a file may grow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cuello

SOURCE = Path(cuello.__file__).parent

# Imports point downward in this list only.
ROOMS = [
    "errors",
    "atomic",
    "metrics",
    "data",
    "networks",
    "kinds",
    "train",
    "estimators",
    "few_label",
    "anomalies",
    "store",
    "report",
    "pipeline",
    "export",
    "web",
    "server",
    "study",
    "labs",
    "cli",
    "__main__",
]
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 460  # lines with docstrings; the guide is 300 of code


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "cuello":
                names |= {f"cuello.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {n.split(".")[1] for n in names if n.startswith("cuello.")} & set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downward(path):
    room = room_of(path)
    if room == "__init__":
        return
    above = {r for r in imported_rooms(path) if ROOMS.index(r) > ROOMS.index(room)}
    assert not above, f"{room} is below {above}"


def test_every_room_is_listed():
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_file_is_not_too_long(path):
    text = path.read_text(encoding="utf-8")
    documented = sum(
        len((ast.get_docstring(node, clean=False) or "").splitlines())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    )
    assert len(text.splitlines()) <= LONGEST
    assert len(text.splitlines()) - documented <= 320


def test_public_surface():
    for name in cuello.__all__:
        assert getattr(cuello, name) is not None
    assert sorted(cuello.__dir__()) == sorted(cuello.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cuello.nothing
