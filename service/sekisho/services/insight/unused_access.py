"""What nobody in the caller's account has used for some days, from the last uses that the server notes."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from sekisho import arn
from sekisho.analysis import unused
from sekisho.analysis.unused import Credential, Granted, Holder, Kind
from sekisho.api.insight.v1 import unused_access_pb2 as pb
from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.store.db import remaining
from sekisho.store.paging import PAGE
from sekisho.store.tables import (
    Access,
    AccessKey,
    Attachment,
    Entity,
    InlinePolicy,
    LoginProfile,
    Membership,
    Policy,
    PolicyVersion,
    Role,
    User,
)

DAYS = 90
SERVICE_LINKED = "/aws-service-role/"


@operation
def get_unused_access(call: Call, request: pb.GetUnusedAccessRequest) -> pb.GetUnusedAccessResponse:
    """A list that is made anew for each page; its marker is a place. Roles that services alone use are left out."""
    uses: dict[str, dict[str, datetime]] = defaultdict(dict)
    for row in call.session.execute(
        select(Access.principal_id, Access.service, Access.action, Access.at).where(Access.account_id == call.account_id)
    ):
        uses[row.principal_id][f"{row.service}:{row.action}"] = row.at
    holders = sorted(_holders(call), key=lambda holder: holder.arn)
    granted = sorted(_granted(call), key=lambda one: (one.arn, one.name))
    remaining(call.deadline)
    found = unused.find(holders, granted, uses, now=call.now, days=request.days or DAYS)
    cursor = pages.cursor(call, request, place="marker", size="max_items")
    start = int(cursor.open(request.marker)[0]) if request.marker else 0
    end = start + (request.max_items or PAGE)
    marker = cursor.marker([end]) if end < len(found) else None
    shown = [_message(one) for one in found[start:end]]
    return pb.GetUnusedAccessResponse(findings=shown, is_truncated=marker is not None, marker=marker)


def _holders(call: Call) -> Iterator[Holder]:
    keys: dict[str, list[Credential]] = defaultdict(list)
    for key in call.session.scalars(select(AccessKey).where(AccessKey.account_id == call.account_id).order_by(AccessKey.created_at)):
        seen = call.node.last_use.of(key.id)
        times = [at for at in (key.last_used_at, seen.at if seen is not None else None) if at is not None]
        keys[key.owner_id].append(Credential(key.id, key.created_at, max(times, default=None)))
    profiles = {row.user_id: row for row in call.session.scalars(select(LoginProfile).join(User).where(User.account_id == call.account_id))}
    for user in call.session.scalars(select(User).where(User.account_id == call.account_id)):
        profile = profiles.get(user.id)
        password = Credential("", profile.created_at, user.password_last_used_at) if profile is not None else None
        named = arn.iam(user.account_id, "user", user.name, user.path)
        yield Holder(user.id, named, Kind.USER, user.created_at, None, tuple(keys[user.id]), password)
    for role in call.session.scalars(select(Role).where(Role.account_id == call.account_id)):
        if not role.path.startswith(SERVICE_LINKED):
            seen = call.node.last_use.of(role.id)
            times = [at for at in (role.last_used_at, seen.at if seen is not None else None) if at is not None]
            named = arn.iam(role.account_id, "role", role.name, role.path)
            yield Holder(role.id, named, Kind.ROLE, role.created_at, max(times, default=None))


def _granted(call: Call) -> Iterator[Granted]:
    """The policies of users, groups and roles, inline and managed; that of a group is its members'."""
    owners: dict[str, tuple[str, frozenset[str]]] = {}
    members: dict[str, set[str]] = defaultdict(set)
    for member in call.session.scalars(
        select(Membership).join(User, User.id == Membership.user_id).where(User.account_id == call.account_id)
    ):
        members[member.group_id].add(member.user_id)
    kinds = ("user", "group", "role")
    for row in call.session.execute(
        select(Entity.id, Entity.kind, Entity.name, Entity.path).where(Entity.account_id == call.account_id, Entity.kind.in_(kinds))
    ):
        if not row.path.startswith(SERVICE_LINKED):
            held = frozenset(members[row.id]) if row.kind == "group" else frozenset((row.id,))
            owners[row.id] = (arn.iam(call.account_id, row.kind, row.name, row.path), held)
    query = select(InlinePolicy).join(Entity, Entity.id == InlinePolicy.owner_id).where(Entity.account_id == call.account_id)
    for inline in call.session.scalars(query):
        remaining(call.deadline)
        if inline.owner_id in owners:
            named, held = owners[inline.owner_id]
            yield Granted(named, inline.name, inline.document, held)
    attached: dict[str, list[tuple[frozenset[str], datetime]]] = defaultdict(list)
    attachments = select(Attachment).join(Entity, Entity.id == Attachment.owner_id).where(Entity.account_id == call.account_id)
    for one in call.session.scalars(attachments):
        if one.owner_id in owners:
            attached[one.policy_id].append((owners[one.owner_id][1], one.created_at))
    ids = sorted(attached)
    for begin in range(0, len(ids), 500):  # a statement takes only so many values
        versions = select(Policy.id, Policy.account_id, Policy.name, Policy.path, PolicyVersion.document, PolicyVersion.created_at)
        versions = versions.join(PolicyVersion, (PolicyVersion.policy_id == Policy.id) & (PolicyVersion.number == Policy.default_version))
        for found in call.session.execute(versions.where(Policy.id.in_(ids[begin : begin + 500]))):
            remaining(call.deadline)
            held = frozenset(id_ for some, _ in attached[found.id] for id_ in some)
            since = max(found.created_at, *(at for _, at in attached[found.id]))
            yield Granted(arn.iam(found.account_id, "policy", found.name, found.path), found.name, found.document, held, since)


def _message(one: unused.Unused) -> pb.UnusedAccess:
    return pb.UnusedAccess(
        kind=one.kind.value,
        arn=one.arn,
        name=one.name,
        since=one.since.replace(microsecond=0) if one.since is not None else None,
        days=one.days,
        recommendation=one.step.value,
        unused_actions=one.actions,
        narrowed_actions=one.narrowed,
        policy_document=one.document,
    )
