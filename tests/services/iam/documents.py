"""Policy documents that the tests write."""

import json
from typing import Any

LIST_BUCKETS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}'
NO_RESOURCE = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket"}]}'
TRUST_EC2 = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)


def allow(*actions: str, on: str = "*", when: dict[str, Any] | None = None) -> str:
    """A policy that allows actions on a resource."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    if when is not None:
        statement["Condition"] = when
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(*principals: str) -> str:
    """A trust policy for these AWS principals."""
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": '
        + json.dumps(principals[0] if len(principals) == 1 else list(principals))
        + '}, "Action": "sts:AssumeRole"}]}'
    )


def of_size(size: int) -> str:
    """An identity policy of just so many characters, with white space that does not count."""
    bare = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::"}]}'
    return " \n" + bare.replace(":::", ":::" + "x" * (size - len(bare))) + "\n\t "


def trust_of_size(size: int) -> str:
    """A trust policy of just so many characters."""
    bare = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole",'
        '"Condition":{"StringEquals":{"sts:ExternalId":""}}}]}'
    )
    return " " + bare.replace('""', '"' + "x" * (size - len(bare)) + '"') + " "
