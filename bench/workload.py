"""Policies and requests for benchmarks of policy evaluation, the same for every peer, with the right answers.

A shape says where the statements stand and how they can be told apart:

    spread  resource    twenty services, each statement about resources under a name of its own
    one     resource    the same, all about S3
    spread  star        Resource "*": a statement is told by its conditions, a team and a range of addresses
    one     star        the same, all about S3
    one     pattern     Resource "*" and conditions that nobody can look up: a text within the team, and *not* from a range of addresses

Names have many lengths, actions and ARNs are real ones (a peer refuses others), every tenth statement is a Deny. Of twenty requests ten are
allowed, three are for a Deny, three come from a wrong address, four are about something that no statement names; an independent loop says
what is right, since one statement's request may hit another's.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

ACCOUNT = "111122223333"
PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:user/alice"
REQUESTS = 200
TEAM, ADDRESS = "aws:PrincipalTag/team", "aws:SourceIp"

_HERE = f"eu-west-1:{ACCOUNT}"
SERVICES: Sequence[tuple[str, str, Sequence[str], str]] = (  # service, action pattern, actions, beginning of resources
    ("s3", "Get*", ("GetObject", "GetObjectAcl", "GetObjectTagging"), "arn:aws:s3:::"),
    ("sqs", "Send*", ("SendMessage",), f"arn:aws:sqs:{_HERE}:"),
    ("sns", "Pub*", ("Publish",), f"arn:aws:sns:{_HERE}:"),
    ("dynamodb", "Get*", ("GetItem",), f"arn:aws:dynamodb:{_HERE}:table/"),
    ("lambda", "InvokeFunction", ("InvokeFunction",), f"arn:aws:lambda:{_HERE}:function:"),
    ("firehose", "PutRecord*", ("PutRecord", "PutRecordBatch"), f"arn:aws:firehose:{_HERE}:deliverystream/"),
    ("ec2", "Start*", ("StartInstances",), f"arn:aws:ec2:{_HERE}:instance/"),
    ("kinesis", "PutRecord*", ("PutRecord", "PutRecords"), f"arn:aws:kinesis:{_HERE}:stream/"),
    ("ecr", "BatchGet*", ("BatchGetImage",), f"arn:aws:ecr:{_HERE}:repository/"),
    ("ecs", "Stop*", ("StopTask",), f"arn:aws:ecs:{_HERE}:task/"),
    ("eks", "Describe*", ("DescribeCluster",), f"arn:aws:eks:{_HERE}:cluster/"),
    ("ssm", "Get*", ("GetParameter", "GetParameters"), f"arn:aws:ssm:{_HERE}:parameter/"),
    ("glue", "StartJobRun", ("StartJobRun",), f"arn:aws:glue:{_HERE}:job/"),
    ("athena", "StartQuery*", ("StartQueryExecution",), f"arn:aws:athena:{_HERE}:workgroup/"),
    ("events", "Put*", ("PutEvents",), f"arn:aws:events:{_HERE}:event-bus/"),
    ("states", "Start*", ("StartExecution",), f"arn:aws:states:{_HERE}:stateMachine:"),
    ("batch", "Submit*", ("SubmitJob",), f"arn:aws:batch:{_HERE}:job-queue/"),
    ("rds", "Start*", ("StartDBInstance",), f"arn:aws:rds:{_HERE}:db:"),
    ("secretsmanager", "Get*", ("GetSecretValue",), f"arn:aws:secretsmanager:{_HERE}:secret:"),
    ("codebuild", "StartBuild", ("StartBuild",), f"arn:aws:codebuild:{_HERE}:project/"),
)
_NAMES = ("hr", "web", "logs", "media", "orders", "billing", "invoices", "warehouse", "newsletter", "fulfilment", "observability")


@dataclass(frozen=True, slots=True)
class Shape:
    """Variety of statements: do they stand in one service, and what tells them apart."""

    services: str  # spread, one
    told_by: str  # resource, star, pattern

    def __str__(self) -> str:
        return f"{self.services} {self.told_by}"


SHAPES = tuple(Shape(*row.split()) for row in ("spread resource", "one resource", "spread star", "one star", "one pattern"))
SIZES = (1, 10, 100, 1_000, 10_000)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, before it is written in a peer's language; a star stands only where the fields say so."""

    sid: str
    deny: bool
    action: str  # literal, or a prefix and a star
    resource: str  # "*", or a prefix and a star
    team: str  # literal, or a text between stars
    network: str  # /16
    outside: bool  # from anywhere but the network


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its right answer."""

    action: str
    resource: str
    team: str
    address: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """Statements of one shape, and requests."""

    shape: Shape
    statements: tuple[Statement, ...]
    requests: tuple[Request, ...]


def made(shape: Shape, size: int, *, first: int = 0) -> Workload:
    """The workload of a shape and a number of statements; names are counted from `first`."""
    chance = random.Random(f"{shape} {size}")
    rows = [SERVICES[i % len(SERVICES) if shape.services == "spread" else 0] for i in range(first, first + size)]
    statements = tuple(_statement(shape, row, first + i) for i, row in enumerate(rows))
    requests = [_request(shape, statements, rows, k, chance) for k in range(REQUESTS)]
    return Workload(shape, statements, tuple(requests))


def iam_statement(statement: Statement) -> dict[str, Any]:
    """The statement as IAM writes it."""
    return {
        "Sid": statement.sid,
        "Effect": "Deny" if statement.deny else "Allow",
        "Action": statement.action,
        "Resource": statement.resource,
        "Condition": {
            "StringLike" if "*" in statement.team else "StringEquals": {TEAM: statement.team},
            "NotIpAddress" if statement.outside else "IpAddress": {ADDRESS: statement.network},
        },
    }


def iam_policy(workload: Workload) -> dict[str, Any]:
    """All statements as one document."""
    return {"Version": "2012-10-17", "Statement": [iam_statement(statement) for statement in workload.statements]}


def iam_context(request: Request) -> dict[str, str]:
    """The condition keys of a request: the two that statements ask for, among others as a service would send them."""
    return {
        TEAM: request.team,
        ADDRESS: request.address,
        "aws:PrincipalTag/stage": "production",
        "aws:SecureTransport": "true",
        "aws:CurrentTime": "2026-11-25T12:00:00Z",
        "aws:RequestedRegion": "eu-west-1",
    }


def _statement(shape: Shape, row: tuple[str, str, Sequence[str], str], i: int) -> Statement:
    service, pattern, _, stem = row
    name = f"{stem}{_NAMES[i % len(_NAMES)]}-{i}"
    return Statement(
        sid=f"S{i}",
        deny=i % 10 == 9,
        action=f"{service}:{pattern}",
        resource=f"{name}{'/' if service == 's3' else '-'}*" if shape.told_by == "resource" else "*",
        team=f"*-{i % 9973}-*" if shape.told_by == "pattern" else f"team-{i % 37}",
        network=f"10.{i % 200}.0.0/16",
        outside=shape.told_by == "pattern",
    )


def _request(
    shape: Shape,
    statements: Sequence[Statement],
    rows: Sequence[tuple[str, str, Sequence[str], str]],
    k: int,
    chance: random.Random,
) -> Request:
    kind = k % 20
    wanted = [i for i, statement in enumerate(statements) if statement.deny is (10 <= kind < 13)] or range(len(statements))
    i = chance.choice(wanted)
    statement, (service, _, actions, stem) = statements[i], rows[i]
    tail = f"{chance.randrange(9)}-{chance.randrange(10**6)}"
    end = "/x" if service == "s3" else ""
    resource = f"{stem}any-{tail}{end}" if statement.resource == "*" else f"{statement.resource[:-1]}{tail}"
    team, inside = statement.team.replace("*", "team"), 13 <= kind < 16 if statement.outside else not 13 <= kind < 16
    if kind >= 16 and shape.told_by == "resource":
        resource = f"{stem}nobody-{tail}{end}"
    elif kind >= 16:
        team = f"nobody-{tail}x"
    network = statement.network.split(".")[1] if inside else "201"
    address = f"10.{network}.{chance.randrange(256)}.{chance.randrange(256)}"
    asked = Request(f"{service}:{chance.choice(actions)}", resource, team, address, allowed=False)
    return Request(asked.action, asked.resource, asked.team, asked.address, _allowed(statements, asked))


def _allowed(statements: Sequence[Statement], request: Request) -> bool:
    effects = {statement.deny for statement in statements if _matches(statement, request)}
    return effects == {False}


def _matches(statement: Statement, request: Request) -> bool:
    return (
        (statement.team[1:-1] in request.team if "*" in statement.team else request.team == statement.team)
        and (request.resource.startswith(statement.resource[:-1]))
        and (request.action.startswith(statement.action[:-1]) if "*" in statement.action else request.action == statement.action)
        and (ip_address(request.address) in ip_network(statement.network)) is not statement.outside
    )
