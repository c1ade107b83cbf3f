"""A file of options: YAML, with the names that the flags have. What stands there is a default, which flags and environment override."""

from pathlib import Path
from typing import Any

import typer

_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", str: "text; quote it", list: "a list of texts"}


def defaults(context: typer.Context, path: Path | None) -> Path | None:
    """Read the file into the defaults of the command; Misplaced, with file and line, for what is no option or no value of it."""
    if path is None:
        return None
    from sekisho.cli import marks  # YAML is loaded for those who have a file

    found = marks.read(path)
    if not isinstance(found.value, dict | None):
        raise found.wrong("options are lines of `name: value`")
    parameters: list[Any] = list(context.command.params)
    options = {flag.removeprefix("--"): option for option in parameters for flag in option.opts}
    for name in ("config", "help"):
        options.pop(name, None)
    taken: dict[str, Any] = {}
    for name, value in (found.value or {}).items():
        if name not in options:
            raise found.wrong(f"`{context.info_name}` has no option `{name}`", str(name), key=True)
        option = options[name]
        kind = list if option.multiple else type(option.default) if type(option.default) in _KINDS else str
        if type(value) is not kind:
            raise found.wrong(f"`{name}` is {_KINDS[kind]}", name)
        try:
            option.process_value(context, value)
        except Exception as error:
            raise found.wrong(f"`{name}`: {getattr(error, 'message', error)}", name) from None
        taken[str(option.name)] = value
    context.default_map = {**(context.default_map or {}), **taken}
    return path
