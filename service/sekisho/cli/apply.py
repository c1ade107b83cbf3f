"""What stands between an account and the directory that describes it, and how it is brought about through the public rpcs.

What is there already and right is left alone, what differs is changed: a second run changes nothing. What an account has beyond its
directory is found too, and removed only when that is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sekisho.cli.changes import Change, Part, Result, Step, part
from sekisho.cli.differences import described, difference, is_same, tag_messages, tagged, unchangeable, untagged
from sekisho.cli.directory import Account, Identity, Policy

if TYPE_CHECKING:
    from sekisho.client import Client

MAX_VERSIONS = 5


def steps(client: "Client", account_id: str, account: Account) -> list[Step]:
    """The comparisons, in an order in which each change finds what it needs."""
    work = _Comparison(client, account_id, account)
    found = [Step(f"policy {policy.name}", lambda policy=policy: work.policy(policy)) for policy in account.policies.values()]  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
    for kind, identities in (("group", account.groups), ("user", account.users), ("role", account.roles)):
        found += [Step(f"{kind} {one.name}", lambda kind=kind, one=one: work.identity(kind, one)) for one in identities]  # type: ignore[misc]  # as above
    return found


@dataclass(frozen=True, slots=True)
class _Present:
    """What an identity has in the account; nothing where it is not there."""

    record: Any = None
    attached: frozenset[str] = frozenset()
    inline: Mapping[str, str] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()


class _Comparison:
    def __init__(self, client: "Client", account_id: str, account: Account) -> None:
        self._iam, self._account_id, self._account = client.iam, account_id, account

    def policy(self, policy: Policy) -> Change:
        """A managed policy: its text in force, its tags."""
        from sekisho.client import NotFound

        what, arn = f"policy {policy.name}", policy.arn(self._account_id)
        try:
            present = self._iam.get_policy(policy_arn=arn).policy
        except NotFound:
            return Change(what, "created", ((described(policy.path, policy.tags), lambda: self._create_policy(policy)),))
        text = self._iam.get_policy_version(policy_arn=arn, version_id=present.default_version_id).policy_version.document
        parts: list[Part] = []
        if not is_same(text, policy.document):
            parts.append((difference("document", text, policy.document), lambda: self._replace(arn, policy.document)))
        parts += tagged(policy.tags, present.tags, lambda tags: self._iam.tag_policy(policy_arn=arn, tags=tags))
        extra = untagged(policy.tags, present.tags, lambda keys: self._iam.untag_policy(policy_arn=arn, tag_keys=keys))
        fixed = unchangeable("description", policy.description or present.description, present.description)
        return Change(what, "changed" if parts else "unchanged", tuple(parts), tuple(extra), tuple(fixed))

    def _create_policy(self, policy: Policy) -> None:
        self._iam.create_policy(
            policy_name=policy.name,
            path=policy.path,
            policy_document=policy.document,
            description=policy.description,
            tags=tag_messages(policy.tags),
        )

    def _replace(self, arn: str, document: str) -> None:
        """Put another text in force. A policy has at most five versions: the oldest that is not in force goes."""
        versions = self._iam.list_policy_versions(policy_arn=arn).versions
        if len(versions) >= MAX_VERSIONS:
            oldest = min((v for v in versions if not v.is_default_version), key=lambda v: int(v.version_id.removeprefix("v")))
            self._iam.delete_policy_version(policy_arn=arn, version_id=oldest.version_id)
        self._iam.create_policy_version(policy_arn=arn, policy_document=document, set_as_default=True)

    def identity(self, kind: str, one: Identity) -> Change:
        """A user, group or role with all that it has."""
        present = self._present(kind, one)
        there = present.record is not None
        parts: list[Part] = [] if there else [(described(one.path, one.tags, one.boundary), lambda: self._create(kind, one))]
        extra: list[Part] = []
        if there and kind == "role":
            parts += self._role(one, present.record)
        if there and kind != "group":
            wanted, more = self._labels(kind, one, present.record)
            parts, extra = parts + wanted, extra + more
        for wanted, more in (self._attachments(kind, one, present), self._inline(kind, one, present), self._memberships(one, present)):
            parts, extra = parts + wanted, extra + more
        fixed = unchangeable("path", one.path, present.record.path) if there else []
        result: Result = "created" if not there else "changed" if parts else "unchanged"
        return Change(f"{kind} {one.name}", result, tuple(parts), tuple(extra), tuple(fixed))

    def _present(self, kind: str, one: Identity) -> _Present:
        from sekisho.client import NotFound, pages

        try:
            record = getattr(self._call("get", kind, one), kind)
        except NotFound:
            return _Present()
        named = {f"{kind}_name": one.name}
        attached = {
            p.policy_arn for page in pages(getattr(self._iam, f"list_attached_{kind}_policies"), **named) for p in page.attached_policies
        }
        inline = [name for page in pages(getattr(self._iam, f"list_{kind}_policies"), **named) for name in page.policy_names]
        texts = {name: self._call("get", kind, one, "_policy", policy_name=name).policy_document for name in inline}
        groups: set[str] = set()
        if kind == "user":
            groups = {group.group_name for page in pages(self._iam.list_groups_for_user, user_name=one.name) for group in page.groups}
        return _Present(record, frozenset(attached), texts, frozenset(groups))

    def _call(self, verb: str, kind: str, one: Identity, suffix: str = "", **arguments: Any) -> Any:
        """The rpc of a kind: `put`, `user`, `_policy` is PutUserPolicy. The kinds differ in their names alone."""
        return getattr(self._iam, f"{verb}_{kind}{suffix}")(**{f"{kind}_name": one.name}, **arguments)

    def _create(self, kind: str, one: Identity) -> None:
        arguments: dict[str, Any] = {"path": one.path}
        if kind != "group":
            arguments |= {"tags": tag_messages(one.tags), "permissions_boundary": self._arn(one.boundary) if one.boundary else None}
        if kind == "role":
            arguments |= {
                "assume_role_policy_document": one.trust,
                "description": one.description,
                "max_session_duration": one.max_session,
            }
        self._call("create", kind, one, **arguments)

    def _arn(self, policy: str) -> str:
        return policy if policy.startswith("arn:") else self._account.policies[policy].arn(self._account_id)

    def _role(self, one: Identity, present: Any) -> Iterator[Part]:
        """A role's trust, description and longest session."""
        document = present.assume_role_policy_document
        if not is_same(document, one.trust):
            said = difference("trust", document, one.trust)
            yield said, lambda: self._iam.update_assume_role_policy(role_name=one.name, policy_document=one.trust)
        wanted: dict[str, Any] = {"description": one.description, "max_session_duration": one.max_session}
        differing = {name: value for name, value in wanted.items() if value is not None and value != getattr(present, name)}
        if differing:
            said = "\n".join(f"{name} {getattr(present, name)!r} → {value!r}" for name, value in differing.items())
            yield said, lambda: self._iam.update_role(role_name=one.name, **{**wanted, **differing})

    def _labels(self, kind: str, one: Identity, present: Any) -> tuple[list[Part], list[Part]]:
        """Tags and boundary."""
        parts = list(tagged(one.tags, present.tags, lambda tags: self._call("tag", kind, one, tags=tags)))
        extra = list(untagged(one.tags, present.tags, lambda keys: self._call("untag", kind, one, tag_keys=keys)))
        boundary, now = self._arn(one.boundary) if one.boundary else "", present.permissions_boundary.permissions_boundary_arn
        if boundary and boundary != now:
            said = f"boundary {now or 'none'} → {boundary}"
            parts.append((said, lambda: self._call("put", kind, one, "_permissions_boundary", permissions_boundary=boundary)))
        if now and not boundary:
            extra.append((f"boundary {now}", lambda: self._call("delete", kind, one, "_permissions_boundary")))
        return parts, extra

    def _attachments(self, kind: str, one: Identity, present: _Present) -> tuple[list[Part], list[Part]]:
        wanted = list(map(self._arn, one.policies))
        attach, detach = (getattr(self._iam, f"{verb}_{kind}_policy") for verb in ("attach", "detach"))
        named = {f"{kind}_name": one.name}
        parts = [part(f"policy {arn} attached", attach, policy_arn=arn, **named) for arn in wanted if arn not in present.attached]
        return parts, [part(f"policy {arn} attached", detach, policy_arn=arn, **named) for arn in sorted(present.attached - {*wanted})]

    def _inline(self, kind: str, one: Identity, present: _Present) -> tuple[list[Part], list[Part]]:
        put, delete = (getattr(self._iam, f"{verb}_{kind}_policy") for verb in ("put", "delete"))
        named, parts = {f"{kind}_name": one.name}, []
        for name, document in one.inline.items():
            what = f"inline policy {name}"
            if name not in present.inline:
                parts.append(part(what, put, policy_name=name, policy_document=document, **named))
            elif not is_same(present.inline[name], document):
                said = difference(what, present.inline[name], document)
                parts.append(part(said, put, policy_name=name, policy_document=document, **named))
        surplus = [name for name in present.inline if name not in one.inline]
        return parts, [part(f"inline policy {name}", delete, policy_name=name, **named) for name in surplus]

    def _memberships(self, one: Identity, present: _Present) -> tuple[list[Part], list[Part]]:
        join, leave = self._iam.add_user_to_group, self._iam.remove_user_from_group
        parts = [part(f"in group {name}", join, group_name=name, user_name=one.name) for name in one.groups if name not in present.groups]
        surplus = sorted(present.groups - {*one.groups})
        return parts, [part(f"in group {name}", leave, group_name=name, user_name=one.name) for name in surplus]
