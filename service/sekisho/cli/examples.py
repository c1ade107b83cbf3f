"""The examples that come with Sekisho."""

from pathlib import Path


def example(name: str) -> Path:
    """The folder of an example: in the installed package, else in the checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "examples" / name, package.parents[1] / "docs" / "examples" / name):
        if folder.is_dir():
            return folder
    raise ValueError(f"the example `{name}` is neither in the installed package nor in the checkout")
