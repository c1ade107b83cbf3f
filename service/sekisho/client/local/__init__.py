"""Decisions inside the caller's own process: the server's evaluator over a copy of the caller's account that the server keeps fresh.

    from sekisho.client import Client
    from sekisho.client.local import LocalAuthorizer

    with Client.from_env() as client, LocalAuthorizer(client, max_silence=15.0) as authorizer:
        if authorizer.authorize(principal=alice, action="orders:GetOrder", resource=order_arn):
            ...

The answers are those of `Client.authorize`; `docs/local-authorizer.md` says what it takes and what it promises.
"""

from sekisho.client.local.authorizer import LocalAuthorizer

__all__ = ["LocalAuthorizer"]
