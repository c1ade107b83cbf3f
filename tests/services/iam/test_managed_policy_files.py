"""An operator's file of managed policies, refused or taken to the last character."""

import json
from typing import Any

import pytest

from sekisho import arn
from sekisho.services.iam.managed_policies import ManagedPolicy, files
from sekisho.services.iam.managed_policies.files import InvalidFile
from tests.services.iam.documents import allow

TEXT = allow("s3:GetObject")
DOCUMENT = json.loads(TEXT)
PREFIX = "arn:aws:iam::aws:policy/"
LONGEST_PATH = "/" + "p" * 510 + "/"
NO_OBJECT = "entry 2 is no object of `arn` or `name` and `path`, `description` and `document`"
NO_NAME = "entry 2 has either an `arn`, or a `name` with or without a `path`"
NO_PATH = f"entry 2: `/{'p' * 127}` and `A` are no path and name of a policy"


def said(*entries: Any) -> str:
    with pytest.raises(InvalidFile) as caught:
        files.read(json.dumps(entries))
    return caught.value.message


def test_an_entry_becomes_a_policy() -> None:
    entries = [
        {"arn": f"{PREFIX}job-function/deep/One", "description": "d" * 1000, "document": DOCUMENT},
        {"name": "n" * 128, "path": LONGEST_PATH, "document": TEXT},
        {"name": "Three", "document": TEXT},
    ]
    expected = (
        ManagedPolicy("One", "/job-function/deep/", "d" * 1000, json.dumps(DOCUMENT, indent=2)),
        ManagedPolicy("n" * 128, LONGEST_PATH, "", TEXT),
        ManagedPolicy("Three", "/", "", TEXT),
    )
    assert files.read(f"  \n{json.dumps(entries)}") == expected
    assert files.read(" \n".join(json.dumps(entry) for entry in entries) + "\n  \n") == expected
    assert files.read("") == files.read("[]") == ()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"name": "A"}, NO_OBJECT),
        ([], NO_OBJECT),
        ({"arn": "a", "name": "A", "path": "/", "description": "", "document": TEXT}, NO_NAME),
        ({"name": "A", "description": "d" * 1001, "document": TEXT}, "entry 2: a description is text of at most 1,000 characters"),
        ({"name": "A", "description": None, "document": TEXT}, "entry 2: a description is text of at most 1,000 characters"),
        ({"name": "A", "path": f"/p{LONGEST_PATH[1:]}", "document": TEXT}, NO_PATH),
        ({"name": "n" * 129, "document": TEXT}, f"entry 2: `/` and `{'n' * 128}` are no path and name of a policy"),
        ({"arn": f"x{PREFIX}A", "document": TEXT}, f"entry 2: `x{PREFIX}A` does not begin with {PREFIX}"),
        ({"name": "First", "document": TEXT}, "the policy `First` stands in the file twice"),
    ],
    ids=["no_document", "list", "all", "long_description", "null", "long_path", "long_name", "arn", "twice"],
)  # fmt: skip
def test_the_entry_that_is_wrong_is_named(entry: Any, sentence: str) -> None:
    assert said({"name": "First", "document": TEXT}, entry) == sentence


def test_an_arn_has_so_many_characters_at_most() -> None:
    longest = PREFIX + "p" * (arn.MAX_LENGTH - len(PREFIX))
    assert said({"arn": longest, "document": TEXT}) == f"entry 1: `/` and `{'p' * 128}` are no path and name of a policy"
    assert said({"arn": f"{longest}p", "document": TEXT}) == f"entry 1: `{longest[:128]}` does not begin with {PREFIX}"
