"""Accounts full of seeded principals and registered resources, and what is listed of them beside what Authorize answers one by one.

    python -m tests.services.authorize.plans.listings --worlds 100000 --seed 1

A world is a user with policies, a boundary now and then, and questions about it over the resources and actions of its account. Prints the
seed of each difference, and exits 1 when there was one.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.orm import Session

from sekisho.errors import SekishoError
from sekisho.store.tables import InlinePolicy, Policy, PolicyVersion, RegisteredResource, ResourceService, ResourceTag, User
from sekisho.world import is_reserved
from sekisho.world.resources import is_registrable, key, type_of
from tests import harness, scratch
from tests.harness import House
from tests.policy import generator
from tests.policy.residual import worlds

MINE, OTHERS = "111122223333", "444455556666"
"""The accounts that the generator knows."""
TOGETHER = 200
"""Worlds in one account."""
SERVICES = ("s3", "sqs", "orders", "kms", "iam")
NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Account:
    """An account with the worlds of some seeds."""

    def __init__(self, house: House, first: int, count: int) -> None:
        self.house, self.first, self.count = house, first, count
        self.arns: dict[str, list[str]] = {}
        self.context: dict[int, list[dict[str, Any]]] = {}
        with house.node.database.write((house.account_id,)) as session:
            self._resources(session, Random(first))
            for seed in range(first, first + count):
                self._user(session, seed)
        # Not before: these rows go past memory, which must not know of the account yet.
        for service in SERVICES[:4]:
            named = [{"Name": action.partition(":")[2]} for action in generator.ACTIONS[service]]
            house.call("PutServiceDefinition", service_name=service, definition=json.dumps({"Name": service, "Actions": named}))

    def user(self, seed: int) -> str:
        """The ARN of a world's user."""
        return f"arn:aws:iam::{self.house.account_id}:user/w{seed}"

    def _here(self, text: str) -> str:
        return text.replace(MINE, self.house.account_id)

    def _user(self, session: Session, seed: int) -> None:
        id_, account = f"AIDA{self.house.account_id}{seed:09}", self.house.account_id
        made = generator.world(seed, 1).cases[0]
        rng = Random(-seed)
        for document in worlds.documents(made):
            if document not in (generator.FULL_ACCESS, generator.RCP_FULL_ACCESS):
                worlds.tagged(document, rng)
        boundary = None
        if made["permission_boundary"]:
            boundary = f"ANPA{account}{seed:09}"
            names = {"account_id": account, "name": f"b{seed}", "name_key": f"b{seed}", "path": "/", "created_at": NOW, "updated_at": NOW}
            session.add(Policy(id=boundary, default_version=1, last_version=1, **names))
            session.flush()
            text = self._here(json.dumps(made["permission_boundary"][0]))
            session.add(PolicyVersion(policy_id=boundary, number=1, document=text, created_at=NOW))
        session.add(User(id=id_, account_id=account, name=f"w{seed}", name_key=f"w{seed}", path="/", created_at=NOW, boundary_id=boundary))
        session.flush()
        identity = made["identity_policies"] or [json.loads('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')]
        for number, document in enumerate(identity):
            name, text = f"p{number}", self._here(json.dumps(document))
            session.add(InlinePolicy(owner_id=id_, name=name, name_key=name, document=text))
        many = made["request"]["multivalued_keys"]
        self.context[seed] = [
            {"key": name, "values": values, "multivalued": name in many}
            for name, values in made["request"]["context"].items()
            if not is_reserved(name) and "resourcetag/" not in name.lower() and (name in many or len(values) == 1)
        ]

    def _resources(self, session: Session, rng: Random) -> None:
        """Resources with tags, of which some have policies of their own."""
        account, scene = self.house.account_id, generator.scene(rng)
        for one in worlds.resources(self.first, 80):
            named = self._here(one.arn)
            segments = named.split(":", 5)
            if not is_registrable(named) or segments[4] not in ("", account) or segments[2] not in SERVICES:
                continue
            if named in self.arns.setdefault(segments[2], []):
                continue
            self.arns[segments[2]].append(named)
            document = self._here(json.dumps(scene.resource(trust=False))) if rng.random() < 0.15 else None
            columns = {"service": segments[2], "type": type_of(named), "policy": document, "created_at": NOW, "updated_at": NOW}
            session.add(RegisteredResource(id=key(account, named), account_id=account, arn=named, **columns))
            session.flush()
            for name, value in one.tags.items():
                tag = {"key_key": name.lower(), "account_id": account, "key": name, "value": value}
                session.add(ResourceTag(resource_id=key(account, named), **tag))
        session.add_all(ResourceService(account_id=account, service=service) for service in self.arns)

    def allowed(self, questions: list[dict[str, Any]]) -> list[bool]:
        """What Authorize says, one by one. An error is no allow."""
        items = self.house.call("AuthorizeBatch", requests=questions).items if questions else []
        return [one.WhichOneof("item") == "decision" and one.decision.outcome == 1 for one in items]

    def listed(self, name: str, entries: str, **fields: Any) -> list[str]:
        """All pages of a list."""
        found: list[str] = []
        token = ""
        while True:
            page = self.house.call(name, next_token=token, **fields)
            found += getattr(page, entries)
            token = page.next_token
            if not token:
                return found


def differences(account: Account, counts: Counter[str]) -> Iterator[str]:
    """A line for each list that is not what Authorize says."""
    for seed in range(account.first, account.first + account.count):
        rng = Random(seed)
        counts["worlds"] += 1
        asked = {"principal_arn": account.user(seed), "context": account.context[seed]}
        yield from _resources(account, seed, rng, asked, counts)
        yield from _actions(account, seed, rng, asked, counts)
    rng = Random(account.first)
    for service in account.arns:
        fields = {"action": rng.choice(generator.ACTIONS[service]), "resource": rng.choice(account.arns[service])}
        listed = set(account.listed("ListAllowedPrincipals", "principals", max_results=rng.choice((0, 7)), **fields))
        everybody = [account.user(seed) for seed in range(account.first, account.first + account.count)]
        expected = account.allowed([fields | {"principal_arn": one} for one in everybody])
        counts["principals"] += sum(expected)
        if listed != {one for one, allowed in zip(everybody, expected, strict=True) if allowed}:
            yield f"seed {account.first}: principals for {fields}: {sorted(listed)}"


def _resources(account: Account, seed: int, rng: Random, asked: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    service = rng.choice(sorted(account.arns))
    fields = asked | {"action": rng.choice(generator.ACTIONS[service])}
    try:
        listed = account.listed(
            "ListAllowedResources", "resources", resource_pattern=f"arn:aws:{service}:*:*:*", max_results=rng.choice((0, 3)), **fields
        )
        listed += account.listed("ListAllowedResources", "resources", resource_pattern=f"arn:aws:{service}:::*", **fields)
    except SekishoError as error:
        counts[error.code] += 1
        if error.code != "PlanNotExpressible":
            yield f"seed {seed}: {error.code}: {error.message}"
        return
    arns = sorted(account.arns[service])
    expected = [arn for arn, allowed in zip(arns, account.allowed([fields | {"resource": arn} for arn in arns]), strict=True) if allowed]
    counts["resources"] += len(expected)
    if sorted(listed) != expected:
        yield f"seed {seed}: resources for {fields}: {sorted(listed)}, not {expected}"


def _actions(account: Account, seed: int, rng: Random, asked: dict[str, Any], counts: Counter[str]) -> Iterator[str]:
    fields = asked | {"resource": rng.choice([arn for arns in account.arns.values() for arn in arns])}
    listed = account.listed("ListAllowedActions", "actions", services=SERVICES[:4], max_results=rng.choice((0, 5)), **fields)
    known = [action for service in SERVICES[:4] for action in generator.ACTIONS[service]]
    expected = [one for one, allowed in zip(known, account.allowed([fields | {"action": one} for one in known]), strict=True) if allowed]
    counts["actions"] += len(expected)
    missing = {one.lower() for one in expected} - {one.lower() for one in listed}
    if missing or not all(account.allowed([fields | {"action": one} for one in listed])):
        yield f"seed {seed}: actions for {fields}: {listed}, not {expected}"


def run(url: str, folder: Path, first: int, count: int) -> tuple[Counter[str], list[str]]:
    """The counts and the differences of some seeds, in a house of their own."""
    counts: Counter[str] = Counter()
    with harness.house(url, folder) as house:
        found = list(differences(Account(house, first, count), counts))
    return counts, found


def _task(first: int, count: int) -> tuple[Counter[str], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        return run(f"sqlite:///{folder}/sekisho.db", Path(folder), first, count)


def main() -> int:
    """Run the campaign on all processors."""
    parser = argparse.ArgumentParser(description="Hold what is listed as allowed against Authorize.")
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    scratch.use()
    began, counts, failed = time.monotonic(), Counter[str](), 0
    starts = range(options.seed, options.seed + options.worlds, TOGETHER)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for some, found in pool.imap_unordered(partial(_task, count=TOGETHER), starts):
            counts += some
            failed += len(found)
            sys.stdout.write("".join(f"{line}\n" for line in found))
            sys.stdout.flush()
            if failed > 20:
                pool.terminate()
                break
    sys.stdout.write(f"{dict(counts)}, {failed} differences in {time.monotonic() - began:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
