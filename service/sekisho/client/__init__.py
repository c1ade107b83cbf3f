"""What a program imports that asks Sekisho or manages it.

    from sekisho.client import Client

    with Client.from_env() as client:
        decision = client.authorize(principal="arn:aws:iam::111122223333:user/alice", action="orders:GetOrder", resource=order_arn)
        if decision:
            ...

A decision that could not be had is an exception (`Error`), never an allow; nothing is cached here. `sekisho.client.aio.AsyncClient` is the
same for asyncio.
"""

from sekisho.client.bearer import token
from sekisho.client.client import Client, pages
from sekisho.client.credentials import NoCredentialsError, from_env, from_file
from sekisho.client.decisions import Decision, Explanation, Matched, Question
from sekisho.client.errors import (
    AlreadyExists,
    Denied,
    Error,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from sekisho.client.retries import Retries
from sekisho.client.transport import TLS, CredentialsSource
from sekisho.policy import Layer, Outcome
from sekisho.sigv4 import Credentials

__all__ = [
    "Client",
    "Credentials",
    "CredentialsSource",
    "NoCredentialsError",
    "from_env",
    "from_file",
    "TLS",
    "Retries",
    "Question",
    "Decision",
    "Explanation",
    "Matched",
    "Outcome",
    "Layer",
    "pages",
    "token",
    "Error",
    "AlreadyExists",
    "Denied",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "ResourceExhausted",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
]
