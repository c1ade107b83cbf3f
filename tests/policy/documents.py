"""Documents of one statement that differ from a good one in what a test names; a value of None leaves an element out."""

import json
from typing import Any

LIST: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"}
ROLE = "arn:aws:iam::111122223333:role/reader"


def managed(**elements: Any) -> str:
    """A managed policy that lists a bucket; `Version` is the document's."""
    return _document({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"}, elements)


def trust(**elements: Any) -> str:
    """A trust policy that trusts an account."""
    return _document({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}, elements)


def resource(**elements: Any) -> str:
    """A bucket's policy that lets a role read."""
    return _document(
        {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}, elements
    )


def rcp(**elements: Any) -> str:
    """A resource control policy that denies a service."""
    return _document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}, elements)


def _document(statement: dict[str, Any], elements: dict[str, Any]) -> str:
    version = elements.pop("Version", "2012-10-17")
    statement = {name: value for name, value in (statement | elements).items() if value is not None}
    return json.dumps({"Statement": [statement]} | ({"Version": version} if version else {}))


def statements(*listed: dict[str, Any], version: str | None = "2012-10-17") -> str:
    """A document of the statements as they are."""
    return json.dumps({"Statement": listed} | ({"Version": version} if version else {}))


def when(operator: str, key: str, *values: object) -> dict[str, Any]:
    """A condition of one value, or of the list of several."""
    return {operator: {key: values[0] if len(values) == 1 else list(values)}}
