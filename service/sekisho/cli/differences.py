"""Differences between what there is and what there shall be, in words, each with what makes it go."""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sekisho.cli.changes import Part

Fold = Callable[[str], str]


def tag_messages(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as requests have them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def described(path: str, tags: Mapping[str, str], boundary: str | None = None) -> str:
    """The path, tags and boundary that a thing is made with, as lines."""
    return "\n".join(
        (f"path {path}", *(f"tag {key}: {value}" for key, value in tags.items()), *([f"boundary {boundary}"] if boundary else []))
    )


def is_same(left: str, right: str) -> bool:
    """True of two documents that say the same, whatever their layout."""
    return bool(json.loads(left) == json.loads(right))


def difference(what: str, present: str, wanted: str) -> str:
    """The lines in which two documents differ, whatever their layout."""
    old, new = (json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False).splitlines() for text in (present, wanted))
    lines = [line for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:] if not line.startswith("@@")]
    return "\n".join((what, *(f"  {line}" for line in lines)))


def tagged(
    wanted: Mapping[str, str], present: Iterable[Any], tag: Callable[[list[dict[str, str]]], object], *, key_of: Fold = str.lower
) -> Iterator[Part]:
    """The tags that are missing or have another value; `key_of` tells which keys are one, without it those that differ in case."""
    have = {key_of(one.key): one.value for one in present}
    missing = {key: value for key, value in wanted.items() if have.get(key_of(key)) != value}
    if missing:
        said = "\n".join(f"tag {key}: {have.get(key_of(key), 'none')} → {value}" for key, value in missing.items())
        yield said, lambda: tag(tag_messages(missing))


def untagged(
    wanted: Mapping[str, str], present: Iterable[Any], untag: Callable[[list[str]], object], *, key_of: Fold = str.lower
) -> Iterator[Part]:
    """The tags that nobody wants."""
    named = set(map(key_of, wanted))
    surplus = [one.key for one in present if key_of(one.key) not in named]
    if surplus:
        yield "\n".join(f"tag {key}" for key in surplus), lambda: untag(surplus)


def unchangeable(name: str, wanted: str, present: str) -> list[str]:
    """The sentence about a difference that stays: the value stands since the creation."""
    return [f"its {name} is `{present}`, not `{wanted}`, which is for its creation alone"] if wanted != present else []
