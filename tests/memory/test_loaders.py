"""What loaded records say, field by field, and that each is of its own id alone."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.memory import loaders, pages
from sekisho.memory.names import Name
from sekisho.store import db
from sekisho.store.tables import (
    AccessKey,
    Attachment,
    Group,
    InlinePolicy,
    Membership,
    Policy,
    PolicyVersion,
    RegisteredResource,
    ResourceTag,
    Role,
    Root,
    Tag,
    User,
)
from sekisho.world import EntityRecord, GroupRecord, KeyRecord, PolicyRecord, PrincipalRecord, Record, ResourceRecord
from tests.memory import tables
from tests.memory.tables import ACCOUNT, ANN, BOB, NOW, OTHER, named

CAT, CLERK, PLAIN = "AIDACATEXAMPLE", "AROACLERKEXAMPLE", "AROAPLAINEXAMPLE"
STAFF, GUESTS, NOBODY = "AGPASTAFFEXAMPLE", "AGPAGUESTSEXAMPLE", "AGPANONEEXAMPLE"
SHIP, SELL, BOUND = "ANPASHIPEXAMPLE", "ANPASELLEXAMPLE", "ANPABOUNDEXAMPLE"
AT = "arn:aws:iam::111122223333:"
USED = NOW + timedelta(days=3)


def document(action: str) -> str:
    """A policy that allows one action."""
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})


def managed(id_: str, name: str, default: int, *actions: str, **fields: Any) -> list[db.Base]:
    """A managed policy with a version for each action."""
    numbers = {"description": None, "default_version": default, "last_version": len(actions), "updated_at": NOW}
    versions = [PolicyVersion(policy_id=id_, number=n, document=document(one), created_at=NOW) for n, one in enumerate(actions, 1)]
    return [named(Policy, id_, name, **numbers, **fields), *versions]


def attachment(owner: str, policy_id: str, minutes: int = 0) -> Attachment:
    """A policy on an owner, so long after the beginning."""
    return Attachment(owner_id=owner, policy_id=policy_id, created_at=NOW + timedelta(minutes=minutes))


def inline(owner: str, name: str) -> InlinePolicy:
    """An inline policy that allows an action of its own name."""
    return InlinePolicy(owner_id=owner, name=name, name_key=name.lower(), document=document(f"a:{name}"))


def tag(owner: str, key: str, value: str) -> Tag:
    """A tag of a user or role."""
    return Tag(owner_id=owner, key=key, key_key=key.lower(), value=value)


def key(id_: str, owner: str, status: str) -> AccessKey:
    """A key whose secret opens as its length, 6."""
    return AccessKey(id=id_, account_id=ACCOUNT, owner_id=owner, secret=b"sealed", status=status, created_at=NOW)


def role(id_: str, name: str, **fields: Any) -> Role:
    """A role that its own ARN trusts."""
    return named(Role, id_, name, description=None, trust_policy=document(f"sts:{name}"), **fields)  # type: ignore[return-value]


ROWS: list[Any] = [
    named(Root, ACCOUNT, "root"),
    *managed(BOUND, "Bound", 1, "bound:*", path="/limits/"),
    *managed(SHIP, "Ship", 2, "ship:1", "ship:2", "ship:3", path="/p/"),
    *managed(SELL, "sell", 1, "sell:1"),
    named(User, ANN, "Ann", path="/sales/", boundary_id=BOUND, password_last_used_at=USED),
    named(User, BOB, "bob"),
    named(User, CAT, "cat", boundary_id=BOUND),
    role(CLERK, "Clerk", path="/r/", max_session_seconds=7_200, boundary_id=BOUND),
    role(PLAIN, "plain"),
    named(Group, STAFF, "staff"),
    named(Group, GUESTS, "Guests"),
    named(Group, "F" * 32, "odd", account_id=OTHER),
    *(inline(ANN, name) for name in ("b", "A", "c")),
    *(inline(owner, "own") for owner in (CLERK, STAFF)),
    *(tag(ANN, name, value) for name, value in (("team", "red"), ("Desk", "1"), ("zone", ""))),
    tag(CLERK, "shift", "night"),
    attachment(ANN, SHIP, 2),
    attachment(ANN, SELL, 1),
    attachment(CLERK, SELL),
    attachment(STAFF, SHIP),
    attachment(STAFF, SELL),
    attachment(GUESTS, SELL),
    *(Membership(user_id=ANN, group_id=group, created_at=NOW) for group in (STAFF, GUESTS)),
    Membership(user_id=CAT, group_id=GUESTS, created_at=NOW),
    key("AKIAANNEXAMPLE", ANN, "Active"),
    key("AKIABOBEXAMPLE", BOB, "Inactive"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[db.Database]:
    """The rows, which no test here changes."""
    with tables.database(tmp_path_factory.mktemp("loaders")) as made:
        tables.write(made, *ROWS)
        resource = {"account_id": ACCOUNT, "service": "shop", "type": "till", "created_at": NOW, "updated_at": NOW}
        tables.write(
            made,
            RegisteredResource(id="arn:aws:shop:::till@1", arn="arn:aws:shop:::till", policy=document("shop:Open"), **resource),
            RegisteredResource(id="arn:aws:shop:::plain@1", arn="arn:aws:shop:::plain", policy=None, **resource),
            *(
                ResourceTag(resource_id="arn:aws:shop:::till@1", key_key=name.lower(), account_id=ACCOUNT, key=name, value=value)
                for name, value in (("team", "red"), ("Desk", ""))
            ),
        )
        yield made


@pytest.fixture
def session(database: db.Database) -> Iterator[Session]:
    with database.read() as made:
        yield made


def attached(action: str, **at: str) -> policy.Attached:
    """A policy of the rows."""
    return policy.Attached(policy.compiled(document(action)), **at)


def expected() -> dict[str, Record | None]:
    """By id; made anew, since what a document was compiled to may have been forgotten since the tests were collected."""
    return {
        ANN: PrincipalRecord(
            ANN,
            ACCOUNT,
            "user",
            "Ann",
            AT + "user/sales/Ann",
            tags={"Desk": "1", "team": "red", "zone": ""},
            inline=tuple(attached(f"a:{name}", name=name) for name in ("A", "b", "c")),
            policy_ids=(SELL, SHIP),
            group_ids=(GUESTS, STAFF),
            boundary_id=BOUND,
        ),
        BOB: PrincipalRecord(BOB, ACCOUNT, "user", "bob", AT + "user/bob"),
        CLERK: PrincipalRecord(
            CLERK,
            ACCOUNT,
            "role",
            "Clerk",
            AT + "role/r/Clerk",
            tags={"shift": "night"},
            inline=(attached("a:own", name="own"),),
            policy_ids=(SELL,),
            boundary_id=BOUND,
            trust=attached("sts:Clerk", name="AssumeRolePolicyDocument"),
            max_session_seconds=7_200,
        ),
        STAFF: GroupRecord(STAFF, (attached("a:own", name="own"),), (SELL, SHIP)),
        GUESTS: GroupRecord(GUESTS, (), (SELL,)),
        SHIP: PolicyRecord(SHIP, AT + "policy/p/Ship", attached("ship:2", arn=AT + "policy/p/Ship", version="v2")),
        "AKIAANNEXAMPLE": KeyRecord("AKIAANNEXAMPLE", ACCOUNT, ANN, "Active", "6"),
        "AKIABOBEXAMPLE": KeyRecord("AKIABOBEXAMPLE", ACCOUNT, BOB, "Inactive", "6"),
        "arn:aws:shop:::till@1": ResourceRecord(
            "arn:aws:shop:::till",
            ACCOUNT,
            {"Desk": "", "team": "red"},
            attached("shop:Open", arn="arn:aws:shop:::till", name="resource policy"),
        ),
        "arn:aws:shop:::plain@1": ResourceRecord("arn:aws:shop:::plain", ACCOUNT),
    }


ABSENT = (
    "AIDANOBODY",
    "AROANOBODY",
    NOBODY,
    "ANPANOBODY",
    "AKIANOBODY",
    "arn:aws:shop:::none@1",
    "p-none",
    "iss-none",
    "0" * 32,
    "F" * 32,  # of what is no provider
    "9" * 12,
    "x",
)


def opened(row: AccessKey) -> str:
    """The secret of a row."""
    return str(len(row.secret))


@pytest.mark.parametrize("id_", expected())
def test_a_record_says_what_its_rows_do(session: Session, id_: str) -> None:
    found = loaders.load_record(session, id_, opened)
    assert found == expected()[id_]
    if isinstance(found, PrincipalRecord):
        assert list(found.tags) == sorted(found.tags, key=str.lower)


@pytest.mark.parametrize("id_", ABSENT)
def test_what_is_not_there(session: Session, id_: str) -> None:
    assert loaders.load_record(session, id_, opened) is None


def test_an_absent_key_opens_as_much_as_one_that_is_there(session: Session) -> None:
    """And only that: who asks in vain does not learn it from the time."""
    decoy, unsealed = AccessKey(id="decoy", secret=b""), list[str]()

    def unseal(row: AccessKey) -> str:
        unsealed.append(row.id)
        return ""

    for id_ in ("AKIANOBODY", "AKIAANNEXAMPLE", ANN):
        loaders.load_record(session, id_, unseal, decoy)
    assert unsealed == ["decoy", "AKIAANNEXAMPLE"]


def test_what_follows_a_principal_comes_with_it(session: Session) -> None:
    records: dict[str, Record] = {id_: record for id_ in (ANN, BOB, CLERK, STAFF) if (record := expected()[id_]) is not None}

    def followed(id_: str, *known: str) -> set[str]:
        """Of a principal, where memory knows these ids; each as it is loaded alone."""
        found = loaders.load_followed(session, records[id_], {one: records.get(one) for one in known}.get, lambda one: one in known)
        assert all(record == loaders.load_record(session, one, opened) for one, record in found.items())
        return set(found)

    assert followed(ANN) == {STAFF, GUESTS, SHIP, SELL, BOUND}
    assert followed(ANN, STAFF) == {GUESTS, SHIP, SELL, BOUND}
    assert followed(ANN, SHIP, BOUND) == {STAFF, GUESTS, SELL}
    assert followed(ANN, STAFF, GUESTS, SHIP, SELL, BOUND) == set()
    assert followed(BOB) == set()
    assert followed(CLERK) == {SELL, BOUND}
    assert followed(STAFF) == set(), "nobody acts as a group"
    assert loaders.load_followed(session, None, lambda _: None, lambda _: False) == {}
    member = PrincipalRecord(CAT, ACCOUNT, "user", "cat", "", group_ids=(STAFF, NOBODY), policy_ids=("ANPANONE",))
    group = {STAFF: records[STAFF]}
    assert set(loaders.load_followed(session, member, group.get, lambda one: one == STAFF)) == {SHIP, SELL}
    assert set(loaders.load_followed(session, member, lambda _: None, lambda _: False)) == {STAFF, SHIP, SELL}


def entity(kind: str, name: str, path: str = "/", account: str = ACCOUNT) -> arn.Entity:
    """The entity that an ARN names."""
    return arn.Entity(account, kind, path, name)


def test_an_entity_says_what_its_rows_do(session: Session) -> None:
    boundary = AT + "policy/limits/Bound"
    tags = {"Desk": "1", "team": "red", "zone": ""}
    wanted = {
        ("user", "ANN"): EntityRecord(
            ANN, ACCOUNT, "user", "Ann", "/sales/", AT + "user/sales/Ann", NOW, tags, boundary_arn=boundary, password_last_used_at=USED
        ),
        ("user", "bob"): EntityRecord(BOB, ACCOUNT, "user", "bob", "/", AT + "user/bob", NOW),
        ("role", "clerk"): EntityRecord(
            CLERK, ACCOUNT, "role", "Clerk", "/r/", AT + "role/r/Clerk", NOW, {"shift": "night"}, boundary_arn=boundary
        ),
        ("policy", "ship"): EntityRecord(SHIP, ACCOUNT, "policy", "Ship", "/p/", AT + "policy/p/Ship", NOW),
        ("root", "root"): EntityRecord(ACCOUNT, ACCOUNT, "root", "root", "/", "arn:aws:iam::111122223333:root", NOW),
        ("group", "ann"): None,
        ("user", "nobody"): None,
    }
    for (kind, name), record in wanted.items():
        found = loaders.load_entity(session, entity(kind, name))
        assert found == record
        assert list(found.tags if found is not None else ()) == list(record.tags if record is not None else ())
    assert loaders.load_entity(session, entity("user", "ann", account=OTHER)) is None


def test_whose_a_name_is(session: Session) -> None:
    assert loaders.load_name(session, entity("user", "aNN")) == Name(ANN, "/sales/", "Ann")
    for other in (entity("role", "ann"), entity("user", "ann", account=OTHER), entity("user", "an")):
        assert loaders.load_name(session, other) is None


def test_an_id_is_of_the_exact_path_and_spelling(session: Session) -> None:
    wanted = {
        entity("user", "Ann", "/sales/"): ANN,
        entity("user", "ann", "/sales/"): None,
        entity("user", "Ann"): None,
        entity("user", "nobody"): None,
        entity("root", "root"): ACCOUNT,
        entity("root", "root", account=OTHER): OTHER,
        entity("root", "root", account="9" * 12): None,
    }
    assert {one: loaders.load_id(session, one) for one in wanted} == wanted


def test_pages_say_what_single_records_do(session: Session) -> None:
    for kind, ids in (("user", (ANN, BOB, CAT)), ("role", (CLERK, PLAIN)), ("group", (GUESTS, STAFF)), ("policy", (BOUND, SELL, SHIP))):
        found, last = pages.load_page(session, ACCOUNT, kind, "")
        assert last == ""
        for record, id_ in zip(sorted(found, key=lambda one: ids.index(one.id)), ids, strict=True):
            wanted = loaders.load_record(session, id_, opened)
            if isinstance(wanted, PrincipalRecord):
                wanted = PrincipalRecord(**{name: getattr(wanted, name) for name in wanted.__slots__ if name != "trust"}, trust=None)
            assert record == wanted
    assert pages.load_page(session, OTHER, "user", "") == ([], "")


def test_pages_follow_each_other_by_name(session: Session) -> None:
    seen, after = [], ""
    for _ in range(3):
        found, after = pages.load_page(session, ACCOUNT, "user", after, 2)
        seen.append(([one.id for one in found], after))
        if not after:
            break
    assert seen == [([ANN, BOB], "bob"), ([CAT], "")]
    assert pages.load_page(session, ACCOUNT, "group", "", 2)[1] == "staff"
    assert pages.load_page(session, ACCOUNT, "group", "staff", 2) == ([], "")
