"""Paths by which principals of the caller's account, or of accounts of its organization, get more than they were given.

The account is read in one snapshot; then the search computes, by turns with other accounts', and with nothing else at the same time. What
was found for a revision is kept for the next page.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from sekisho import arn, policy
from sekisho.analysis import escalation
from sekisho.api.insight.v1 import escalation_paths_pb2 as pb
from sekisho.calls import affiliation, pages
from sekisho.calls.call import Call
from sekisho.calls.turns import Turns
from sekisho.errors import AccessDenied, RequestTimeout, ValidationError
from sekisho.journal.analyzers import zones
from sekisho.operations import operation
from sekisho.services.insight import estates
from sekisho.services.insight.errors import InvalidInput, NoSuchEntity
from sekisho.store.db import remaining
from sekisho.store.paging import PAGE
from sekisho.store.tables import Organization
from sekisho.world import Keys

MOST_KEPT = 20_000
"""Paths that are kept in all, at about two kilobytes each."""

MOST_BYTES = 1 << 20
"""Bytes of paths on a page, but for one path that begins below that; a client takes 4 MiB."""

_Key = tuple[str, str, str, bytes]

_turns = Turns()
_alone = tuple(threading.Lock() for _ in range(64))
"""Held while an account is read and searched: its further calls wait for what is found, and none of them holds an account in memory."""
_lock = threading.Lock()
_kept: OrderedDict[_Key, escalation.Found] = OrderedDict()


@operation
def find_escalation_paths(call: Call, request: pb.FindEscalationPathsRequest) -> pb.FindEscalationPathsResponse:
    """The shortest path of each principal, the shortest first. RequestTimeout when the deadline comes before all of it is found."""
    supposed = _supposed(request)
    organization = _find_organization(call) if request.organization else None
    if organization is not None and request.goal_arn:
        raise InvalidInput("paths of an organization end at administrators; a goal is one of an account")
    for text in (request.goal_arn, request.source_arn):
        if text and organization is None:
            _refuse_others(call, text)
    with _of_account(call):
        found = _found(call, request, supposed, organization)
    paths = [path for path in found.paths if request.source_arn in ("", path.source)]
    cursor = pages.cursor(call, request, place="marker", size="max_items")
    start = int(cursor.open(request.marker)[0]) if request.marker else 0
    shown: list[pb.EscalationPath] = []
    size = 0
    for path in paths[start : start + (request.max_items or PAGE)]:
        shown.append(_path(path))
        size += shown[-1].ByteSize()
        if size > MOST_BYTES:
            break
    end = start + len(shown)
    marker = cursor.marker([end]) if end < len(paths) else None
    return pb.FindEscalationPathsResponse(
        account_id=found.account_id,
        administrators=found.administrators if not start else (),
        paths=shown,
        principals=found.principals,
        found=len(paths),
        decisions=found.decisions,
        left_out=found.left_out[:PAGE],
        is_truncated=marker is not None,
        marker=marker,
    )


@contextmanager
def _of_account(call: Call) -> Iterator[None]:
    """Be the only search of the account; RequestTimeout when another one lasts until the deadline."""
    lock = _alone[hash(call.account_id) % len(_alone)]
    if not lock.acquire(timeout=remaining(call.deadline)):
        raise RequestTimeout("The deadline of the call passed while another search of the account was under way.")
    try:
        yield
    finally:
        lock.release()


def _refuse_others(call: Call, text: str) -> None:
    named = arn.entity(text)
    if named is None or named.kind not in ("user", "role") or named.account != call.account_id:
        raise NoSuchEntity(f"`{text}` is no user or role of the account {call.account_id}")


def _find_organization(call: Call) -> Organization:
    """The organization whose paths the caller's account may see: the management account, or one to which it delegated Access Analyzer."""
    found = affiliation.get(call)
    if found is None or not zones.is_administrator(call.session, found, call.account_id):
        raise AccessDenied("Paths of an organization are shown to its management account and its administrator of IAM Access Analyzer.")
    if found.management_account_id != call.account_id and not zones.is_trusted(call.session, found.id):
        raise AccessDenied("Trusted access for IAM Access Analyzer is not enabled in the organization.")
    return found


def _found(call: Call, request: pb.FindEscalationPathsRequest, supposed: Keys, organization: Organization | None) -> escalation.Found:
    at = pb.FindEscalationPathsRequest(supposed_keys=request.supposed_keys).SerializeToString(deterministic=True)
    session = call.session  # with which the world is as new as the snapshot
    about = organization.id if organization is not None else request.goal_arn
    key = (call.account_id, call.node.world.sync(session).token, about, at)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    realm = estates.load_realm(call, organization) if organization is not None else None
    loaded = estates.load_organization(call, organization.id) if organization is not None else [estates.load(call, call.account_id)]
    with _turns.turn(call.account_id, call.deadline) as turn:

        def proceed() -> None:
            remaining(call.deadline)
            turn.pause()

        try:
            if organization is not None:
                found = escalation.find_across(call.account_id, loaded, realm, supposed=supposed, proceed=proceed)
            else:
                found = escalation.find(loaded[0], goal=request.goal_arn, supposed=supposed, proceed=proceed)
        except ValueError as error:
            raise NoSuchEntity(str(error)) from None
    with _lock:
        _kept[key] = found
        while sum(1 + len(one.paths) for one in _kept.values()) > MOST_KEPT and len(_kept) > 1:
            _kept.popitem(last=False)
    return found


def _supposed(request: pb.FindEscalationPathsRequest) -> Keys:
    given = {one.key: tuple(one.values) for one in request.supposed_keys}
    if len({key.lower() for key in given}) != len(request.supposed_keys):
        raise InvalidInput("a condition key is supposed twice")
    try:
        return policy.context(given, {key for key, values in given.items() if len(values) > 1})
    except ValidationError as error:
        raise InvalidInput(error.message) from None


def _path(path: escalation.Path) -> pb.EscalationPath:
    return pb.EscalationPath(source_arn=path.source, hops=[_hop(hop) for hop in path.hops])


def _hop(hop: escalation.Hop) -> pb.EscalationHop:
    return pb.EscalationHop(
        method=hop.rule.name,
        way=hop.rule.way.value,
        published=hop.rule.published,
        by_arn=hop.by,
        on_arn=hop.on,
        becomes_arn=hop.becomes,
        change=hop.change,
        presumes=hop.presumes,
        grants=[_grant(grant) for grant in hop.grants],
    )


def _grant(grant: escalation.Grant) -> pb.EscalationGrant:
    return pb.EscalationGrant(
        action=grant.action,
        resource=grant.resource,
        statements=[
            pb.GrantingStatement(
                layer=one.layer,
                policy_arn=one.policy_arn,
                policy_name=one.policy_name,
                policy_version=one.policy_version,
                sid=one.sid,
                index=one.place,
            )
            for one in grant.statements
        ],
    )
