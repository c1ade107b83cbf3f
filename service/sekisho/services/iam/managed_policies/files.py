"""Managed policies in an operator's file: a JSON array of objects, or one object a line.

    {"arn": "arn:aws:iam::aws:policy/job-function/Billing", "description": "…", "document": {…} or its text}

In place of `arn` stand `name` and, for another path than `/`, `path`.
"""

import json
import re
from typing import Any

from sekisho import arn
from sekisho.errors import InvalidArgument, MalformedPolicyDocument
from sekisho.policy import validate
from sekisho.services.iam.managed_policies import ManagedPolicy

_KEYS = frozenset(("arn", "name", "path", "description", "document"))
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_PATH = re.compile(r"/(?:[A-Za-z0-9.,+@=_-]+/)*")
_PREFIX = "arn:aws:iam::aws:policy/"


class InvalidFile(InvalidArgument):
    """The file does not hold managed policies."""


def read(text: str) -> tuple[ManagedPolicy, ...]:
    """The policies of a file; InvalidFile says which entry is wrong, and how."""
    found = [_policy(entry, number) for number, entry in enumerate(_entries(text), 1)]
    names = [policy.name.lower() for policy in found]
    twice = next((policy.name for policy in found if names.count(policy.name.lower()) > 1), None)
    if twice is not None:
        raise InvalidFile(f"the policy `{twice}` stands in the file twice")
    return tuple(found)


def _entries(text: str) -> list[Any]:
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InvalidFile(f"the file is neither a JSON array nor one JSON object a line: {error}") from None


def _policy(entry: Any, number: int) -> ManagedPolicy:
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS or "document" not in entry:
        raise InvalidFile(f"entry {number} is no object of `arn` or `name` and `path`, `description` and `document`")
    path, name = _named(entry, number)
    description, document = entry.get("description", ""), entry["document"]
    if not isinstance(description, str) or len(description) > 1000:
        raise InvalidFile(f"entry {number}: a description is text of at most 1,000 characters")
    if not isinstance(document, str):
        document = json.dumps(document, indent=2)
    try:
        validate.check(document, validate.Kind.MANAGED)
    except MalformedPolicyDocument as error:
        raise InvalidFile(f"entry {number}, `{name}`: {error.message}") from None
    return ManagedPolicy(name, path, description, document)


def _named(entry: dict[str, Any], number: int) -> tuple[str, str]:
    """Path and name; an ARN must be of the account `aws`."""
    if ("arn" in entry) is ("name" in entry) or ("arn" in entry and "path" in entry):
        raise InvalidFile(f"entry {number} has either an `arn`, or a `name` with or without a `path`")
    if "arn" in entry:
        named = str(entry["arn"])
        if not named.startswith(_PREFIX) or len(named) > arn.MAX_LENGTH:
            raise InvalidFile(f"entry {number}: `{named[:128]}` does not begin with {_PREFIX}")
        path, _, name = named.removeprefix(_PREFIX.removesuffix("/")).rpartition("/")
        path += "/"
    else:
        path, name = str(entry.get("path", "/")), str(entry["name"])
    if _NAME.fullmatch(name) is None or _PATH.fullmatch(path) is None or len(path) > 512:
        raise InvalidFile(f"entry {number}: `{path[:128]}` and `{name[:128]}` are no path and name of a policy")
    return path, name
