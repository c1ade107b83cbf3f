"""An account of files, as `sekisho load` reads it, as an analysis takes it: without a server.

Keys, passwords and instance profiles are in no file, so of those nothing is known. Policies of AWS's that the files name are those that
come with this program.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sekisho import arn, policy, world
from sekisho.analysis.escalation import Estate, Managed
from sekisho.cli import directory
from sekisho.cli.expectations import ACCOUNT_ID, Records

_AWS = "arn:aws:iam::aws:policy/"


def estate(folder: Path, words: Mapping[str, str], now: datetime) -> Estate:
    """The account that a folder describes; ValueError says what is wrong in it."""
    account = directory.read(folder, ACCOUNT_ID, words)
    made = Records(ACCOUNT_ID, folder, account)
    every = (*account.groups, *account.users, *account.roles)
    named = {name for one in every for name in (*one.policies, *([one.boundary] if one.boundary else [])) if name.startswith("arn:")}
    records = made.records | _of_aws(named | {f"{_AWS}AdministratorAccess"}, named)
    principals = []
    for record in made.records.values():
        if isinstance(record, world.PrincipalRecord):
            principals.append(replace(record, trust=made.trusts.get(record.arn)))
            records[record.id] = principals[-1]
    managed = sorted((one for one in records.values() if isinstance(one, world.PolicyRecord)), key=lambda one: one.arn)
    return Estate(
        account_id=ACCOUNT_ID,
        principals=tuple(principals),
        groups={f"group/{group.name}": arn.iam(ACCOUNT_ID, "group", group.name, group.path) for group in account.groups},
        policies=tuple(Managed(one.id, one.arn, one.attached) for one in managed),
        lookup=records.get,
        now=now,
    )


def _of_aws(wanted: Iterable[str], named: set[str]) -> dict[str, world.Record]:
    """The policies of AWS's that are wanted; ValueError for one that is named and does not come with this program."""
    try:
        from sekisho.services.iam import managed_policies
    except ModuleNotFoundError:  # the client alone is installed
        if named:
            raise
        return {}
    built_in = {one.arn: one.document for one in managed_policies.built_in()}
    if missing := sorted(named - built_in.keys()):
        raise ValueError(f"the policy `{missing[0]}` does not come with this program")
    made: dict[str, world.Record] = {}
    for text in sorted(wanted):
        attached = policy.Attached(policy.compiled(built_in[text]), arn=text, version="v1")
        made[f"policy/{text}"] = world.PolicyRecord(f"policy/{text}", text, attached)
    return made
