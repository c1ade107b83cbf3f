"""A member's write that is under way while its organization attaches what denies it: committed before that revision, or denied."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.errors import SekishoError
from sekisho.operations import OPERATIONS
from sekisho.store.tables import AuditRecord
from tests.harness import House
from tests.services.organizations.tree import SCP, Organization, deny

Act = Callable[[], object]


@pytest.fixture
def between(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Act], None]]:
    """Has something done by another thread, between the authorization of the next CreateGroup and its function. On PostgreSQL it is done
    before the function goes on; on SQLite it waits for the one writer that there is, and is done after it.
    """
    operation = OPERATIONS["iam", "CreateGroup"]
    original, waiting = operation.function, list[Act]()
    others: list[threading.Thread] = []

    def function(call: Any, request: Any) -> Any:
        if waiting:
            others.append(threading.Thread(target=waiting.pop()))
            others[-1].start()
            if not house.node.database.sqlite:
                others[-1].join(timeout=60)
        return original(call, request)

    def wait() -> None:
        for other in others:
            other.join(timeout=60)
            assert not other.is_alive()

    object.__setattr__(operation, "function", function)
    yield waiting.append
    object.__setattr__(operation, "function", original)
    wait()


def outcome(org: Organization, keys: sigv4.Credentials, name: str) -> str:
    """The code of the error that creating a group ends with; empty for none."""
    try:
        org.house.call("CreateGroup", _as=keys, group_name=name)
    except SekishoError as error:
        return error.code
    return ""


def revisions(org: Organization, account_id: str, event: str) -> list[int]:
    """The revisions of an account's writes of a name, once there are any that are waited for."""
    query = select(AuditRecord.revision).where(AuditRecord.account_id == account_id, AuditRecord.event_name == event)
    with org.house.node.database.read() as session:
        return [revision for revision in session.scalars(query) if revision is not None]


CHANGES: dict[str, Callable[[Organization, str, str, str], object]] = {
    "attached_to_the_account": lambda org, member, _, policy: org.attach(policy, member),
    "attached_to_the_root": lambda org, _, __, policy: org.attach(policy, org.root_id),
    "moved": lambda org, member, unit, _: org("MoveAccount", account_id=member, source_parent_id=org.root_id, destination_parent_id=unit),
    "closed": lambda org, member, _, __: org("CloseAccount", account_id=member),
}
EVENTS = {"moved": "MoveAccount", "closed": "CloseAccount"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_write_is_committed_before_what_denies_it_or_denied(org: Organization, between: Callable[[Act], None], change: str) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    member, unit = org.account(), org.unit("dev")
    org.attach(org.policy(deny("iam:*")), unit)
    keys, policy = org.inside(member), org.policy(deny("iam:CreateGroup"))
    event = EVENTS.get(change, "AttachPolicy")
    before = len(revisions(org, org.management, event))
    between(lambda: CHANGES[change](org, member, unit, policy))
    found = outcome(org, keys, "g")
    limit = time.monotonic() + 60
    while len(after := revisions(org, org.management, event)) == before:
        assert time.monotonic() < limit
        time.sleep(0.02)
    made = revisions(org, member, "CreateGroup")
    if org.house.node.database.sqlite:
        assert (found, len(made)) == ("", 1)
        assert made[0] < max(after)
    else:
        assert (found, made) == ("OptInRequired" if change == "closed" else "AccessDenied", [])
    assert outcome(org, keys, "h") != ""


def test_a_write_that_nothing_denies_is_done_once_more(org: Organization, between: Callable[[Act], None]) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    member = org.account()
    keys, policy = org.inside(member), org.policy(deny("orders:Ship"))
    between(lambda: org.attach(policy, member))
    assert outcome(org, keys, "g") == ""
    assert len(revisions(org, member, "CreateGroup")) == 1


def test_what_is_changed_elsewhere_makes_no_write_begin_again(org: Organization, between: Callable[[Act], None]) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    member, other, unit = org.account(), org.account(), org.unit("dev")
    keys, policy = org.inside(member), org.policy(deny("iam:CreateGroup"))
    for target in (other, unit):
        between(lambda target=target: org.attach(policy, target))  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
        assert outcome(org, keys, f"g-{target}") == ""
