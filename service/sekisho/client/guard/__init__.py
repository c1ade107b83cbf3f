"""Guards another team's own service: each method is an action on a resource, and Sekisho says whether the caller may.

    from sekisho.client import Client, guard
    from sekisho.client.guard import Rule

    RULES = {
        "/shop.Orders/Ship": Rule(
            "orders:ShipOrder", "arn:aws:orders:eu-west-1:{account}:order/{order_id}", context={"orders:Amount": "amount"}
        ),
        "/grpc.health.v1.Health/Check": guard.PUBLIC,
    }
    server = grpc.server(threads, interceptors=[guard.grpc(client, RULES, audience="orders.example.com")])

`grpc.aio.server` takes the same interceptor. Over HTTP it is `Guard(app, client, {("POST", "/orders/{order_id}/ship"): Rule(…)}, …)`.
The caller is whoever the end user's client proves to be, by a bearer token or a signature made for that audience; Sekisho verifies it,
and this process never sees a secret.

What is not allowed is refused: a method without a rule, a field that cannot be read, a caller that is nobody, a Sekisho that does not
answer (UNAVAILABLE, 503). A denial names the caller, the action and the resource, and nothing of any policy, unless `reveal` is set.
"""

from collections.abc import Iterable
from typing import TypeVar

from sekisho.client.decisions import Decision
from sekisho.client.guard.asgi import Guard
from sekisho.client.guard.fields import Unreadable
from sekisho.client.guard.gate import PASSAGE
from sekisho.client.guard.interceptor import guarded as grpc
from sekisho.client.guard.refusals import Kind, Refused
from sekisho.client.guard.requests import HttpRequest, Peer
from sekisho.client.guard.rules import PUBLIC, Rule, Stream

__all__ = ["grpc", "Guard", "Rule", "Stream", "PUBLIC", "decision", "filter", "HttpRequest", "Peer", "Refused", "Kind", "Unreadable"]

T = TypeVar("T")


def decision() -> Decision:
    """The decision that let the present call in: who it is, by which statements, at which revision. LookupError outside of such a call."""
    return PASSAGE.get().decision


def filter(items: Iterable[T], rule: Rule) -> list[T]:  # noqa: A001  # what Python's own does, with Sekisho as the judge
    """The items on which the present caller may do the rule's action, in their order; asked in batches, from memory that is not older
    than the call's own decision.

    Fields are attributes of an item, or members of a mapping. An item that cannot be read is left out. Refused, which the guard turns
    into the answer, when no decision can be had. It waits for Sekisho: `await asyncio.to_thread(guard.filter, …)` in a coroutine.
    """
    passage = PASSAGE.get()
    return passage.gate.filter(passage, items, rule)
