"""Where things stand in a YAML file, so that an error can point at them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Steps = tuple[str | int, ...]
Places = dict[Steps, tuple[int, int]]


class Misplaced(ValueError):  # noqa: N818  # a sentence for whoever wrote the file
    """Something in a file is wrong: `FILE:LINE:COLUMN: what`."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The content of a file, and the line and column (from 1) of each of its values and keys: ("questions", 0, "action")."""

    path: Path
    value: Any
    marks: Places
    keys: Places

    def place(self, *steps: str | int, key: bool = False) -> str:
        """`FILE:LINE:COLUMN` of a value, or of the nearest that there is around it; with `key`, of the key that it stands under."""
        line, column = self.keys.get(steps, (0, 0)) if key else (0, 0)
        while not line:
            line, column = self.marks.get(steps, (0, 0) if steps else (1, 1))
            steps = steps[:-1]
        return f"{self.path}:{line}:{column}"

    def wrong(self, what: str, *steps: str | int, key: bool = False) -> Misplaced:
        """The error about a value or a key."""
        return Misplaced(f"{self.place(*steps, key=key)}: {what}")


def read(path: Path) -> Marked:
    """A YAML file with its marks."""
    text = path.read_text()
    try:
        value, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        raise Misplaced(f"{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise Misplaced(f"{path}: {' '.join(str(error).split())}") from None
    found = Marked(path, value, {}, {})
    if node is not None:
        _mark(node, (), found.marks, found.keys)
    return found


def _mark(node: yaml.Node, steps: Steps, values: Places, keys: Places) -> None:
    """Note where a node and all beneath it stand."""
    values[steps] = _point(node)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _mark(item, (*steps, index), values, keys)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            below = (*steps, str(key.value))
            keys[below] = _point(key)
            _mark(item, below, values, keys)


def _point(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
