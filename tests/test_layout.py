"""The house: who may import whom, no circles, one name for one thing, nothing too large."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import cuello

SOURCE = Path(cuello.__file__).parent
LABS = SOURCE.parent / "cuello_labs"

# Imports point downward in this list only.
LAYERS = [
    "arrays",
    "clock",
    "seeding",
    "errors",
    "options",
    "registry",
    "atomic",
    "formats",
    "metrics",
    "data",
    "networks",
    "kinds",
    "train",
    "estimators",
    "few_label",
    "anomalies",
    "run",
    "report",
    "api",
    "export",
    "web",
    "study",
    "server",
    "cli",
    "__main__",
]
MOST_LINES = 28_000
MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 80  # its docstring apart


def files(*roots: Path) -> list[Path]:
    return sorted(path for root in roots for path in root.rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield everything that a file imports, inside functions and for type checkers, too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name


def own_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    documented = (ast.get_docstring(node, clean=False) or "").splitlines()
    return (node.end_lineno or node.lineno) - node.lineno + 1 - len(documented)


def top_level_names(path: Path) -> Iterator[str]:
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_imports_point_downward():
    above = []
    for path in files(SOURCE):
        layer = layer_of(path)
        if layer == "__init__":
            continue
        for name in imported(path):
            parts = name.split(".")
            known = parts[0] == "cuello" and len(parts) > 1 and parts[1] in LAYERS
            if known and LAYERS.index(parts[1]) > LAYERS.index(layer):
                above.append(f"{path.relative_to(SOURCE)} imports {name}")
    assert above == []
    assert {layer_of(path) for path in files(SOURCE)} == {*LAYERS, "__init__"}


def test_nothing_imports_the_labs():
    found = [
        str(path.relative_to(SOURCE))
        for path in files(SOURCE)
        if any(name.split(".")[0] == "cuello_labs" for name in imported(path))
    ]
    assert found == []


def test_no_import_circle():
    modules = {module_of(path): path for path in files(SOURCE, LABS)}
    uses = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imported(path)}
        & set(modules) - {module}
        for module, path in modules.items()
    }
    left = dict(uses)
    # What is left when modules that use no other are taken away, again and again, runs in circles.
    while done := [module for module, others in left.items() if not others & set(left)]:
        for module in done:
            del left[module]
    users = {module for module in left if any(module in others for others in left.values())}
    assert users == set()


def test_one_name_is_one_thing():
    homes = defaultdict(set)
    for path in files(SOURCE):
        for name in top_level_names(path):
            if not name.startswith("__"):
                homes[name].add(module_of(path))
    assert {name: sorted(where) for name, where in homes.items() if len(where) > 1} == {}


def test_nothing_is_too_large():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files(SOURCE)}
    assert sum(lengths.values()) <= MOST_LINES
    long_files = {
        str(path.relative_to(SOURCE.parent)): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(SOURCE, LABS)
    }
    assert {name: n for name, n in long_files.items() if n > MOST_FILE_LINES} == {}
    long_functions = {
        f"{module_of(path)}.{node.name}": own_lines(node)
        for path in files(SOURCE, LABS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and own_lines(node) > MOST_FUNCTION_LINES
    }
    assert long_functions == {}


def test_public_surface():
    for name in cuello.__all__:
        assert getattr(cuello, name) is not None
    assert sorted(cuello.__dir__()) == sorted(cuello.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cuello.nothing
