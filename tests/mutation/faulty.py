"""Makes one fault of one module in the memory of a process, through an import hook; the checkout is never written.

A process that is started with `environment(…)`, and every Python process that it starts in turn, makes the fault before all imports.
"""

import ast
import importlib.machinery
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from tests.mutation import mutants

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service/sekisho"
_VARIABLE = "TESTS_FAULT"  # module in dots, number of the fault
_AT_START = "from tests.mutation import faulty\n\nfaulty.obey()\n"


def dotted(path: Path) -> str:
    """The name of the module that a file of the package is."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def make(module: str, index: int) -> None:
    """Make a fault in a module that this process has not imported yet."""
    assert module not in sys.modules, "a module must be imported after the fault in it was made"
    sys.meta_path.insert(0, _Finder(module, index))


def obey() -> None:
    """Make the fault that the environment names."""
    module, _, index = os.environ.get(_VARIABLE, "").partition(" ")
    if index:
        make(module, int(index))


def environment(folder: Path, module: str, index: int) -> Mapping[str, str]:
    """What a process is started with, so that it makes the fault; an empty module makes none. Writes what Python runs at its start."""
    (folder / "sitecustomize.py").write_text(_AT_START)
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, _VARIABLE: f"{module} {index}" if module else "", "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class _Finder:
    def __init__(self, module: str, index: int) -> None:
        self._module, self._index = module, index

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(name, spec.origin, self._index)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, index: int) -> None:
        super().__init__(name, path)
        self._index = index

    def get_code(self, fullname: str) -> CodeType:
        tree: ast.Module = mutants.mutated(Path(self.path).read_text(), self._index)
        return compile(tree, self.path, "exec")
