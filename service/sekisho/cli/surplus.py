"""What an account holds that its directory does not name, and how each of it is taken away: first what hangs on it, then itself."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sekisho.cli.changes import Change, Part
from sekisho.cli.directory import Account

if TYPE_CHECKING:
    from sekisho.client import Client

_SERVICES = "/aws-service-role/"
"""Roles below this path belong to services, which delete them themselves."""

_OF_USER = (  # the list, its member, what deletes one, and by which argument
    ("list_access_keys", "access_key_metadata", "delete_access_key", "access_key_id"),
    ("list_signing_certificates", "certificates", "delete_signing_certificate", "certificate_id"),
    ("list_ssh_public_keys", "ssh_public_keys", "delete_ssh_public_key", "ssh_public_key_id"),
    (
        "list_service_specific_credentials",
        "service_specific_credentials",
        "delete_service_specific_credential",
        "service_specific_credential_id",
    ),
    ("list_mfa_devices", "mfa_devices", "deactivate_mfa_device", "serial_number"),
    ("list_groups_for_user", "groups", "remove_user_from_group", "group_name"),
)
_OF_ROLE = (("list_instance_profiles_for_role", "instance_profiles", "remove_role_from_instance_profile", "instance_profile_name"),)


class Surplus:
    """The users, roles, groups and policies of an account that a directory does not name."""

    def __init__(self, client: "Client", account: Account, caller_arn: str) -> None:
        self._iam, self._caller = client.iam, caller_arn
        self._named = {
            kind: {name.lower() for name in names}
            for kind, names in (
                ("user", [one.name for one in account.users]),
                ("role", [one.name for one in account.roles]),
                ("group", [one.name for one in account.groups]),
                ("policy", list(account.policies)),
            )
        }

    def found(self) -> list[tuple[str, Any]]:
        """Each as its kind and its record, in an order in which each can be deleted."""
        from sekisho.client import pages

        iam = self._iam
        listed: dict[str, list[Any]] = {
            "user": [one for page in pages(iam.list_users) for one in page.users],
            "role": [one for page in pages(iam.list_roles) for one in page.roles if not one.path.startswith(_SERVICES)],
            "group": [one for page in pages(iam.list_groups) for one in page.groups],
            "policy": [one for page in pages(iam.list_policies, scope="Local") for one in page.policies],
        }
        return [(kind, one) for kind, records in listed.items() for one in records if _name(kind, one).lower() not in self._named[kind]]

    def is_caller(self, kind: str, one: Any) -> bool:
        """Whether it is who asks: nobody saws off the branch."""
        session = f"{one.arn.replace(':iam:', ':sts:').split(':role/')[0]}:assumed-role/{_name(kind, one)}/" if kind == "role" else ""
        return bool(one.arn == self._caller or (session and self._caller.startswith(session)))

    def deletion(self, kind: str, one: Any) -> Change:
        """How it is taken away, with all that hangs on it."""
        name = _name(kind, one)
        parts = list(self._policy(one) if kind == "policy" else self._identity(kind, name))
        return Change(f"{kind} {name}", "deleted", tuple(parts))

    def _identity(self, kind: str, name: str) -> Iterator[Part]:
        from sekisho.client import pages

        iam, named = self._iam, {f"{kind}_name": name}
        yield from {"user": self._of_user, "role": self._of_role, "group": self._of_group}[kind](name)
        for page in pages(getattr(iam, f"list_attached_{kind}_policies"), **named):
            for policy in page.attached_policies:
                arn = policy.policy_arn
                yield _removal(f"policy {arn} attached", getattr(iam, f"detach_{kind}_policy"), policy_arn=arn, **named)
        for page in pages(getattr(iam, f"list_{kind}_policies"), **named):
            for inline in page.policy_names:
                yield _removal(f"inline policy {inline}", getattr(iam, f"delete_{kind}_policy"), policy_name=inline, **named)
        yield _removal("itself", getattr(iam, f"delete_{kind}"), **named)

    def _of_user(self, name: str) -> Iterator[Part]:
        from sekisho.client import NotFound

        for said, value, work in self._listed(_OF_USER, user_name=name):
            yield said, work
            if ":mfa/" in value:
                yield _removal(f"virtual device {value}", self._iam.delete_virtual_mfa_device, serial_number=value)
        try:
            self._iam.get_login_profile(user_name=name)
            yield _removal("password", self._iam.delete_login_profile, user_name=name)
        except NotFound:
            pass

    def _of_role(self, name: str) -> Iterator[Part]:
        yield from ((said, work) for said, _, work in self._listed(_OF_ROLE, role_name=name))

    def _of_group(self, name: str) -> Iterator[Part]:
        from sekisho.client import pages

        for page in pages(self._iam.get_group, group_name=name):
            for user in page.users:
                leave = self._iam.remove_user_from_group
                yield _removal(f"member {user.user_name}", leave, user_name=user.user_name, group_name=name)

    def _listed(self, rows: Iterable[tuple[str, str, str, str]], **named: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """What the rows of a table find: in words, its id, and its removal."""
        from sekisho.client import pages

        for listing, member, delete, argument in rows:
            for page in pages(getattr(self._iam, listing), **named):
                for value in (getattr(item, argument) for item in getattr(page, member)):
                    said, work = _removal(f"{argument.replace('_', ' ')} {value}", getattr(self._iam, delete), **{argument: value}, **named)
                    yield said, value, work

    def _policy(self, one: Any) -> Iterator[Part]:
        from sekisho.client import pages

        iam, arn = self._iam, one.arn
        # A boundary is never taken off silently: its holder would get more than it has. The deletion fails then.
        for kind in ("user", "role", "group"):
            detach = getattr(iam, f"detach_{kind}_policy")
            for page in pages(
                iam.list_entities_for_policy, policy_arn=arn, entity_filter=kind.capitalize(), policy_usage_filter="PermissionsPolicy"
            ):
                for holder in getattr(page, f"policy_{kind}s"):
                    name = getattr(holder, f"{kind}_name")
                    yield _removal(f"attached to {kind} {name}", detach, policy_arn=arn, **{f"{kind}_name": name})
        for listed in pages(iam.list_policy_versions, policy_arn=arn):
            for version in listed.versions:
                if not version.is_default_version:
                    yield _removal(
                        f"version {version.version_id}", iam.delete_policy_version, policy_arn=arn, version_id=version.version_id
                    )
        yield _removal("itself", iam.delete_policy, policy_arn=arn)


def _name(kind: str, one: Any) -> str:
    name: str = getattr(one, f"{kind}_name")
    return name


def _removal(said: str, call: Callable[..., object], **arguments: str) -> Part:
    """A removal whose work may have been done already, with what was removed before."""

    def work() -> None:
        from sekisho.client import NotFound

        with suppress(NotFound):
            call(**arguments)

    return said, work
