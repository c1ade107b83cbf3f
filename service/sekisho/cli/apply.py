"""Brings an account into the shape that a directory describes, through the public rpcs.

What is there already and right is left alone, what differs is changed, and nothing is ever removed: a second run changes nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sekisho.cli.directory import Account, Identity, Policy

if TYPE_CHECKING:
    from sekisho.client import Client

Result = Literal["created", "changed", "unchanged"]
MAX_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to bring about."""

    what: str
    work: Callable[[], Result]

    def run(self) -> Result:
        """Bring it about, and say what had to be done; an error says in what it was."""
        from sekisho.client import Error

        try:
            return self.work()
        except Error as error:
            raise ValueError(f"{self.what}: {error}") from error


def steps(client: "Client", account_id: str, account: Account) -> list[Step]:
    """The steps, in an order in which each finds what it needs."""
    work = _Work(client, account_id, account)
    found = [Step(f"policy {policy.name}", lambda policy=policy: work.policy(policy)) for policy in account.policies.values()]  # type: ignore[misc]  # mypy cannot type a default argument of a lambda
    for kind, identities in (("group", account.groups), ("user", account.users), ("role", account.roles)):
        found += [Step(f"{kind} {one.name}", lambda kind=kind, one=one: work.identity(kind, one)) for one in identities]  # type: ignore[misc]  # as above
    return found


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _same(left: str, right: str) -> bool:
    return bool(json.loads(left) == json.loads(right))


class _Work:
    def __init__(self, client: "Client", account_id: str, account: Account) -> None:
        self._iam, self._account_id, self._account = client.iam, account_id, account

    def policy(self, policy: Policy) -> Result:
        """A managed policy, its text in force, its tags."""
        from sekisho.client import NotFound

        arn = policy.arn(self._account_id)
        try:
            present = self._iam.get_policy(policy_arn=arn).policy
        except NotFound:
            self._iam.create_policy(
                policy_name=policy.name,
                path=policy.path,
                policy_document=policy.document,
                description=policy.description,
                tags=_tags(policy.tags),
            )
            return "created"
        text = self._iam.get_policy_version(policy_arn=arn, version_id=present.default_version_id).policy_version.document
        changed = False
        if not _same(text, policy.document):
            self._make_room(arn)
            self._iam.create_policy_version(policy_arn=arn, policy_document=policy.document, set_as_default=True)
            changed = True
        if missing := _differing(policy.tags, present.tags):
            self._iam.tag_policy(policy_arn=arn, tags=_tags(missing))
            changed = True
        return "changed" if changed else "unchanged"

    def _make_room(self, arn: str) -> None:
        """A policy has at most five versions: the oldest that is not in force goes."""
        versions = self._iam.list_policy_versions(policy_arn=arn).versions
        if len(versions) >= MAX_VERSIONS:
            oldest = min((v for v in versions if not v.is_default_version), key=lambda v: int(v.version_id.removeprefix("v")))
            self._iam.delete_policy_version(policy_arn=arn, version_id=oldest.version_id)

    def identity(self, kind: str, one: Identity) -> Result:
        """A user, group or role with all that it has."""
        from sekisho.client import NotFound

        try:
            present = self._call("get", kind, one)
        except NotFound:
            self._create(kind, one)
            present = None
        parts = [
            present is not None and kind == "role" and self._role(one, present.role),
            present is not None and kind != "group" and self._labels(kind, one, getattr(present, kind)),
            self._attach(kind, one),
            self._inline(kind, one),
            self._join(one) if kind == "user" else False,
        ]
        return "created" if present is None else "changed" if any(parts) else "unchanged"

    def _call(self, verb: str, kind: str, one: Identity, suffix: str = "", **arguments: Any) -> Any:
        """The rpc of a kind: `put`, `user`, `_policy` is PutUserPolicy. The kinds differ in their names alone."""
        return getattr(self._iam, f"{verb}_{kind}{suffix}")(**{f"{kind}_name": one.name}, **arguments)

    def _create(self, kind: str, one: Identity) -> None:
        arguments: dict[str, Any] = {"path": one.path}
        if kind != "group":
            arguments |= {"tags": _tags(one.tags), "permissions_boundary": self._arn(one.boundary) if one.boundary else None}
        if kind == "role":
            arguments |= {
                "assume_role_policy_document": one.trust,
                "description": one.description,
                "max_session_duration": one.max_session,
            }
        self._call("create", kind, one, **arguments)

    def _arn(self, policy: str) -> str:
        return policy if policy.startswith("arn:") else self._account.policies[policy].arn(self._account_id)

    def _role(self, one: Identity, present: Any) -> bool:
        """A role's trust, description and longest session."""
        changed = False
        if not _same(present.assume_role_policy_document, one.trust):
            self._iam.update_assume_role_policy(role_name=one.name, policy_document=one.trust)
            changed = True
        wanted: dict[str, Any] = {"description": one.description, "max_session_duration": one.max_session}
        differing = {name: value for name, value in wanted.items() if value is not None and value != getattr(present, name)}
        if differing:
            self._iam.update_role(role_name=one.name, **{**wanted, **differing})
        return changed or bool(differing)

    def _labels(self, kind: str, one: Identity, present: Any) -> bool:
        """Tags and boundary."""
        missing = _differing(one.tags, present.tags)
        if missing:
            self._call("tag", kind, one, tags=_tags(missing))
        boundary = self._arn(one.boundary) if one.boundary else ""
        if boundary and boundary != present.permissions_boundary.permissions_boundary_arn:
            self._call("put", kind, one, "_permissions_boundary", permissions_boundary=boundary)
            return True
        return bool(missing)

    def _attach(self, kind: str, one: Identity) -> bool:
        from sekisho.client import pages

        listed = pages(getattr(self._iam, f"list_attached_{kind}_policies"), **{f"{kind}_name": one.name})
        present = {policy.policy_arn for page in listed for policy in page.attached_policies}
        missing = [arn for arn in map(self._arn, one.policies) if arn not in present]
        for arn in missing:
            getattr(self._iam, f"attach_{kind}_policy")(**{f"{kind}_name": one.name}, policy_arn=arn)
        return bool(missing)

    def _inline(self, kind: str, one: Identity) -> bool:
        from sekisho.client import NotFound

        changed = False
        for name, document in one.inline.items():
            try:
                if _same(self._call("get", kind, one, "_policy", policy_name=name).policy_document, document):
                    continue
            except NotFound:
                pass
            self._call("put", kind, one, "_policy", policy_name=name, policy_document=document)
            changed = True
        return changed

    def _join(self, one: Identity) -> bool:
        from sekisho.client import pages

        present = {group.group_name for page in pages(self._iam.list_groups_for_user, user_name=one.name) for group in page.groups}
        missing = [name for name in one.groups if name not in present]
        for name in missing:
            self._iam.add_user_to_group(group_name=name, user_name=one.name)
        return bool(missing)


def _differing(wanted: Mapping[str, str], present: Iterable[Any]) -> dict[str, str]:
    """The tags that are missing or have another value; the keys of tags differ in more than case."""
    have = {tag.key.lower(): tag.value for tag in present}
    return {key: value for key, value in wanted.items() if have.get(key.lower()) != value}
