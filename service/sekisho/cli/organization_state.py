"""An organization as it is, read once before anything is changed, and the ids of what a plan makes."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sekisho.cli.org import TYPES
from sekisho.cli.organization_file import Names

if TYPE_CHECKING:
    from sekisho.client import Client

NOT_IN_USE = "AWSOrganizationsNotInUse"
ALWAYS = "p-RCPFullAWSAccess"
"""The policy that is attached to everything, and cannot be taken off."""


class State:
    """All that there is: units by their path, accounts, policies by type and name, what is attached to what.

    Plans are made before anything is, so what they do looks ids up when it is done: those of units, of policies that the file names, and of
    accounts.
    """

    def __init__(self, client: "Client", account_id: str) -> None:
        from sekisho.client import FailedPrecondition

        self.client, self.account_id = client.organizations, account_id
        self.exists = True
        self.features = ""
        self.types: set[str] = set()
        self.unit_ids: dict[Names, str] = {}
        self.accounts: dict[str, Any] = {}
        self.parents: dict[str, Names] = {}
        """The path of the unit in which each account hangs."""
        self.policies: dict[tuple[str, str], Any] = {}
        self.policy_ids: dict[str, str] = {}
        self.account_ids: dict[str, str] = {}
        self.attached: dict[str, set[str]] = defaultdict(set)
        try:
            found = self.client.describe_organization().organization
        except FailedPrecondition as error:
            if error.code != NOT_IN_USE:
                raise
            self.exists = False
            return
        if found.master_account_id != account_id:
            raise ValueError(f"the account {account_id} is a member of the organization {found.id}, and does not manage it")
        self._read(found)

    def every(self, call: Any, field: str, **asked: str) -> list[Any]:
        """The items of all pages of a list."""
        from sekisho.client import pages

        return [item for page in pages(call, **asked) for item in getattr(page, field)]

    def tags(self, resource_id: str) -> list[Any]:
        """The tags of something."""
        return self.every(self.client.list_tags_for_resource, "tags", resource_id=resource_id)

    def get_account(self, email: str, id_: str) -> Any | None:
        """The account of an address, or of an id."""
        if id_:
            return self.accounts.get(id_)
        return next((one for one in self.accounts.values() if one.email.lower() == email.lower()), None)

    def content(self, policy: Any) -> str:
        """The text of a policy."""
        text: str = self.client.describe_policy(policy_id=policy.id).policy.content
        return text

    def title(self, policy_id: str) -> str:
        """The name of a policy, or its id."""
        return next((name for (_, name), one in self.policies.items() if one.id == policy_id), policy_id)

    def _read(self, found: Any) -> None:
        self.features = found.feature_set
        root = self.client.list_roots().roots[0]
        self.types = {one.type for one in root.policy_types}
        self.unit_ids[()] = root.id
        paths: dict[str, Names] = {root.id: ()}
        for path, unit in self._beneath((), root.id):
            self.unit_ids[path], paths[unit.id] = unit.id, path
        for account in self.every(self.client.list_accounts, "accounts"):
            self.accounts[account.id] = account
            self.parents[account.id] = paths[account.paths[0].split("/")[-3]]
        if found.feature_set != "ALL":
            return
        for type_ in TYPES:
            for policy in self.every(self.client.list_policies, "policies", filter=type_):
                self.policies[type_, policy.name] = policy
                if policy.id != ALWAYS and type_ in self.types:
                    for target in self.every(self.client.list_targets_for_policy, "targets", policy_id=policy.id):
                        self.attached[target.target_id].add(policy.id)

    def _beneath(self, path: Names, unit_id: str) -> Iterator[tuple[Names, Any]]:
        for unit in self.every(self.client.list_organizational_units_for_parent, "organizational_units", parent_id=unit_id):
            yield (*path, unit.name), unit
            yield from self._beneath((*path, unit.name), unit.id)
