"""`sekisho org`: organizations, as whoever is permitted to read them sees them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from sekisho.cli import connection
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from sekisho.api.organizations.v1.client import OrganizationsClient

app = typer.Typer(name="org", no_args_is_help=True, rich_markup_mode=None, help="Organizations.")

TYPES = {
    "SERVICE_CONTROL_POLICY": "SCP",
    "RESOURCE_CONTROL_POLICY": "RCP",
    "TAG_POLICY": "tags",
    "BACKUP_POLICY": "backup",
    "AISERVICES_OPT_OUT_POLICY": "opt-out",
    "DECLARATIVE_POLICY_EC2": "EC2",
}
"""The types of policies, and what they are called in a drawing."""

Attached = Mapping[str, list[str]]
"""What is attached to a target, in words, by the target's id."""


@app.callback()
def org() -> None:
    """Organizations."""


@app.command()
@connection.asking
def tree(
    *,
    at: Asked,
) -> None:
    """Draw the caller's organization: units, accounts, and the policies that are attached to each."""
    with connection.connect(at) as (client, _):
        organizations = client.organizations
        found = organizations.describe_organization().organization
        root = organizations.list_roots().roots[0]
        attached = _attached(organizations, [one.type for one in root.policy_types])
        print(f"{found.id}, managed by {found.master_account_id}")
        accounts: dict[str, list[str]] = defaultdict(list)
        for account in _every(organizations.list_accounts, "accounts"):
            state = "" if account.state == "ACTIVE" else f" ({account.state.lower()})"
            managing = " (manages)" if account.id == found.master_account_id else ""
            accounts[account.paths[0].split("/")[-3]].append(_line(account.name, account.id, attached, managing + state))
        print(_line("Root", root.id, attached))
        print(*_beneath(organizations, root.id, accounts, attached, ""), sep="\n")


def _beneath(
    organizations: "OrganizationsClient", unit_id: str, accounts: Mapping[str, list[str]], attached: Attached, indent: str
) -> Iterator[str]:
    """The lines of all that hangs in a unit: accounts first, then units, each with what hangs in it."""
    units = sorted(_every(organizations.list_organizational_units_for_parent, "organizational_units", parent_id=unit_id), key=_name)
    own = sorted(accounts.get(unit_id, ()))
    for index, line in enumerate(own):
        yield f"{indent}{'└' if index + 1 == len(own) and not units else '├'}─ {line}"
    for index, unit in enumerate(units):
        last = index + 1 == len(units)
        yield f"{indent}{'└' if last else '├'}─ {_line(unit.name, unit.id, attached)}"
        yield from _beneath(organizations, unit.id, accounts, attached, indent + ("   " if last else "│  "))


def _attached(organizations: "OrganizationsClient", types: list[str]) -> Attached:
    """What is attached where, of the types that are in force; one look for each policy, whatever it is attached to."""
    found: dict[str, list[str]] = defaultdict(list)
    for type_ in types:
        for policy in sorted(_every(organizations.list_policies, "policies", filter=type_), key=_name):
            if policy.id != "p-RCPFullAWSAccess":  # which is everywhere, always
                for target in _every(organizations.list_targets_for_policy, "targets", policy_id=policy.id):
                    found[target.target_id].append(f"{TYPES.get(type_, type_)} {policy.name}")
    return found


def _every(call: Any, field: str, **asked: str) -> list[Any]:
    """The items of all pages of a list."""
    from sekisho.client import pages

    return [item for page in pages(call, **asked) for item in getattr(page, field)]


def _name(found: Any) -> str:
    return str(found.name)


def _line(name: str, id_: str, attached: Attached, more: str = "") -> str:
    policies = f"  [{', '.join(attached[id_])}]" if attached.get(id_) else ""
    return f"{name} {id_}{more}{policies}"
