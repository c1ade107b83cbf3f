"""Records in memory: what is kept, what goes first, and what each is charged."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import policy
from sekisho.memory import records
from sekisho.memory.records import Records, entity_key
from sekisho.world import (
    AccountRecord,
    ControlPolicyRecord,
    EntityRecord,
    GroupRecord,
    IssuerRecord,
    OidcProviderRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    ResourceRecord,
    SamlProviderRecord,
    SigningKey,
    TagPolicyRecord,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT, ARN = "111122223333", "arn:aws:iam::111122223333:x/y"
FIXED = 2_048  # bytes of a record without documents


def attached(*statements: dict[str, Any]) -> policy.Attached:
    """A policy whose program nobody else asks anything."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return policy.Attached(policy.compile_policy(policy.parse(text), text=text))


def plain(**more: Any) -> policy.Attached:
    """A policy of one statement with a pattern for its action and one for its resource."""
    return attached({"Effect": "Allow", "Action": "a:b", "Resource": "*", **more})


def account(id_: str) -> AccountRecord:
    """A record that costs what every record does."""
    return AccountRecord(id_, "ACTIVE")


ONE = 4_096  # bytes of a statement with no more than three patterns

COSTS: dict[str, tuple[Record, int]] = {
    "account": (account(ACCOUNT), 0),
    "selectors of events": (
        AccountRecord(ACCOUNT, "ACTIVE", data_selectors=(("basic", "x" * 10),), organization_data_selectors=(("advanced", "y" * 7),)),
        4 * 17,
    ),
    "registered services": (AccountRecord(ACCOUNT, "ACTIVE", registers=frozenset({"orders", "shop"})), 2 * 64 + 10),
    "tag policy": (TagPolicyRecord("p-1", "x" * 100), 400),
    "open id connect": (OidcProviderRecord(ARN, ACCOUNT, ARN, "i", ("ab", "c"), ("0" * 40,)), 3 * 64 + 4 * 43),
    "saml": (SamlProviderRecord("i", ACCOUNT, ARN, "e", ("x" * 9, "y"), NOW, private_keys=(("a", "z" * 5),)), 3 * 64 + 15),
    "issuer": (IssuerRecord("iss-1", ACCOUNT, "u", None, (SigningKey("k", "ES384", "{}", "", NOW),) * 2), 2 * 4_096),
    "resource": (ResourceRecord("arn:aws:x:::r", ACCOUNT, {"team": "red", "a": ""}), 2 * 13 + 2 * 2 * 64 + 4 * 8),
    "resource with a policy": (ResourceRecord("arn:aws:x:::r", ACCOUNT, policy=plain()), 2 * 13 + ONE),
    "managed policy": (PolicyRecord("ANPA1", ARN, plain()), ONE),
    "control policy": (ControlPolicyRecord("p-1", plain()), ONE),
    "group": (GroupRecord("AGPA1", (plain(), plain())), 2 * ONE),
    "user": (PrincipalRecord("AIDA1", ACCOUNT, "user", "n", ARN, inline=(plain(),)), ONE),
    "role": (PrincipalRecord("AROA1", ACCOUNT, "role", "n", ARN, inline=(plain(),), trust=plain()), 2 * ONE),
    "entity": (EntityRecord("AIDA1", ACCOUNT, "user", "n", "/", ARN, NOW), 0),
    "patterns beyond three": (PolicyRecord("ANPA1", ARN, plain(Action=["a:b", "c:d", "e:f"], Resource=["r", "s"])), ONE + 2 * 1_536),
    "conditions": (
        PolicyRecord("ANPA1", ARN, plain(Condition={"StringEquals": {"k:a": ["1", "2"], "k:b": "3"}})),
        ONE + 1_536 + 3 * 512,
    ),
    "few patterns of many statements": (
        PolicyRecord("ANPA1", ARN, attached(*({"Effect": "Allow", "Action": f"a:{n}", "Resource": "*"} for n in range(4)))),
        4 * ONE,
    ),
    "not resources": (
        PolicyRecord("ANPA1", ARN, attached({"Effect": "Allow", "Action": "a:b", "NotResource": ["r", "s", "t"]})),
        ONE + 1_536,
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_what_a_record_is_charged(name: str) -> None:
    record, beside = COSTS[name]
    kept = Records(1 << 20)
    kept.keep("id", record)
    assert kept.size == (1, FIXED + beside)


def test_the_policies_of_a_composition_are_charged_with_what_they_remember() -> None:
    one, two = plain(), plain()
    one.program.identity_bucket("a:b")
    one.program.resource_bucket("a:c")
    assert records.cost_of([one, two]) == 2 * ONE + 2 * 512


def test_what_a_program_remembers_before_it_is_kept_is_charged_at_once() -> None:
    kept, one = Records(1 << 20), plain()
    one.program.identity_bucket("a:b")
    kept.keep("id", GroupRecord("AGPA1", (one,)))
    assert kept.size == (1, FIXED + ONE + 512)


def test_the_oldest_goes_first_unless_it_was_asked_for() -> None:
    kept = Records(3 * FIXED)
    for id_ in "abc":
        kept.keep(id_, account(id_))
    kept.keep("d", account("d"))  # each was used when it came: one turn of all, then the oldest
    assert list(kept.all()[0]) == ["b", "c", "d"]
    assert kept.get_record("b") == account("b")
    assert kept.get_record("a") is None
    kept.keep("e", account("e"))
    assert list(kept.all()[0]) == ["d", "e", "b"]
    assert kept.size == (3, 3 * FIXED)


def test_a_record_that_takes_all_room_is_kept_and_a_larger_one_is_not() -> None:
    kept = Records(FIXED)
    kept.keep("a", account("a"))
    assert kept.get_record("a") == account("a")
    kept.keep("b", TagPolicyRecord("b", "x"))
    assert kept.get_record("b") is None
    assert kept.size == (1, FIXED)


def test_a_record_in_the_place_of_another() -> None:
    kept = Records(1 << 20)
    kept.keep("a", TagPolicyRecord("a", "x" * 100))
    kept.keep("b", account("b"))
    kept.keep("a", TagPolicyRecord("a", "x"))
    assert kept.size == (2, 2 * FIXED + 4)
    assert list(kept.all()[0]) == ["b", "a"]


def test_a_record_ends_that_there_is_none() -> None:
    kept = Records(1 << 20)
    for id_ in ("a", "arn:a"):
        kept.keep_absent(id_)
        assert kept.is_absent(id_)
        kept.keep(id_, account(id_))
        assert not kept.is_absent(id_)


def test_all_that_is_known_of_an_id_is_forgotten_with_it() -> None:
    kept = Records(1 << 20)
    for key in ("a", entity_key("a"), "b"):
        kept.keep(key, account(key))
    for id_ in ("c", "arn:c"):
        kept.keep_absent(id_)
    assert kept.all() == ({key: account(key) for key in ("a", entity_key("a"), "b")}, ["c", "arn:c"])
    for id_ in ("a", "c", "arn:c", "nobody"):
        kept.evict(id_)
    assert kept.all() == ({"b": account("b")}, [])
    assert kept.size == (1, FIXED)
    assert entity_key("a") != entity_key("b") != "b"


def test_everything_is_forgotten() -> None:
    kept = Records(1 << 20)
    kept.keep("a", account("a"))
    for id_ in ("c", "arn:c"):
        kept.keep_absent(id_)
    kept.clear()
    assert (kept.all(), kept.size) == (({}, []), (0, 0))


def test_a_flood_of_arns_forgets_no_key_that_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_ABSENT", 2)
    kept = Records(1 << 20)
    for id_ in ("AKIA1", "arn:1", "arn:2", "arn:3", "AKIA2"):
        kept.keep_absent(id_)
    assert kept.all()[1] == ["AKIA1", "AKIA2", "arn:2", "arn:3"]
    kept.keep_absent("AKIA3")
    assert kept.all()[1] == ["AKIA2", "AKIA3", "arn:2", "arn:3"]


def test_long_ids_are_not_remembered_as_nobodys() -> None:
    kept = Records(1 << 20)
    for id_, remembered in (("x" * 128, True), ("x" * 129, False), ("arn:" + "x" * 1_020, True), ("arn:" + "x" * 1_021, False)):
        kept.keep_absent(id_)
        assert kept.is_absent(id_) is remembered


def test_records_are_weighed_again_some_at_a_time() -> None:
    kept = Records(1 << 20)
    groups = {id_: GroupRecord(id_, (plain(),)) for id_ in "abc"}
    for id_, group in groups.items():
        kept.keep(id_, group)
    for group in groups.values():
        group.inline[0].program.identity_bucket("a:b")
    sizes = []
    for _ in range(5):
        kept.reweigh(2)
        sizes.append(kept.size[1] - 3 * (FIXED + ONE))
        if len(sizes) == 3:
            groups["c"].inline[0].program.identity_bucket("a:c")
    assert sizes == [2 * 512, 3 * 512, 3 * 512, 3 * 512, 4 * 512]  # the next ones each time; then from the beginning


def test_a_record_that_has_gone_before_it_is_weighed_again() -> None:
    kept = Records(1 << 20)
    for id_ in "abc":
        kept.keep(id_, account(id_))
    kept.reweigh(1)
    for id_ in "abc":
        kept.evict(id_)
    kept.reweigh(64)
    assert kept.size == (0, 0)


def test_what_has_grown_too_large_goes() -> None:
    kept, grown = Records(2 * FIXED + ONE), GroupRecord("a", (plain(),))
    kept.keep("a", grown)
    kept.keep("b", account("b"))
    grown.inline[0].program.identity_bucket("a:b")
    kept.reweigh(64)
    assert list(kept.all()[0]) == ["b"]
    assert kept.size == (1, FIXED)
