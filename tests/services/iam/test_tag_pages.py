"""Tags of one entity: their keys, and where pages of them begin and end, without a database."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.iam.v1 import tags_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.services.iam import account_authorizations, entities, tags
from sekisho.services.iam.quotas import QUOTAS
from sekisho.store.tables import Group, InstanceProfile, Policy, Role, Tag, User
from tests.calls.fakes import ACCOUNT

MADE: dict[str, list[Any]] = {}
"""The contents of markers, by their text."""


def marker(values: list[Any]) -> str:
    text = f"m{len(MADE)}"
    MADE[text] = values
    return text


CURSOR = SimpleNamespace(open=lambda text: MADE[text], marker=marker)


def page(monkeypatch: pytest.MonkeyPatch, keys: str, *, most: int = 0, after: str = "") -> tuple[str, bool, str | None]:
    """The keys of a page of tags, whether there are more, and the marker."""
    rows = [Tag(owner_id="AIDA", key=key.upper(), key_key=key, value=f"of {key}") for key in keys]
    monkeypatch.setattr(entities, "cursor", lambda *_: CURSOR)
    monkeypatch.setattr(tags, "_rows", lambda *_: rows)
    call: Any = None
    request: Any = SimpleNamespace(marker=after, max_items=most)
    found = tags.respond(call, request, User(id="AIDA"), lambda **fields: fields)
    assert [tag.value for tag in found["tags"]] == [f"of {tag.key.lower()}" for tag in found["tags"]]
    return "".join(tag.key for tag in found["tags"]), found["is_truncated"], found["marker"]


def test_a_page_goes_on_behind_the_last_key_or_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page(monkeypatch, "abcde") == ("ABCDE", False, None)
    assert page(monkeypatch, "") == ("", False, None)
    assert page(monkeypatch, "abcde", most=5) == ("ABCDE", False, None)
    first = page(monkeypatch, "abcde", most=2)
    assert first[:2] == ("AB", True)
    after = first[2] or ""
    assert page(monkeypatch, "abcde", most=2, after=after)[:2] == ("CD", True)
    assert page(monkeypatch, "abcde", most=3, after=after) == ("CDE", False, None)
    assert page(monkeypatch, "0abcde", most=4, after=after) == ("CDE", False, None)  # one came before the last key
    assert page(monkeypatch, "bcde", most=4, after=after) == ("CDE", False, None)  # one before it has gone
    assert page(monkeypatch, "acde", most=4, after=after) == ("CDE", False, None)  # it has gone itself
    assert page(monkeypatch, "abcdefgh" * 20)[:2] == (("ABCDEFGH" * 20)[:100], True)


@pytest.mark.parametrize(("table", "folded"), [(User, True), (Role, True), (Policy, False), (InstanceProfile, False)])
def test_keys_are_one_whatever_their_case_of_some_kinds(monkeypatch: pytest.MonkeyPatch, table: Any, folded: bool) -> None:
    row = table(id="ID")
    added: list[Any] = []
    call: Any = SimpleNamespace(add=added.append)

    def first(*keys: str) -> list[str]:
        added.clear()
        shown = tags.first(call, row, [pb.Tag(key=key, value="v") for key in keys])
        assert added[0] is row
        assert [(tag.owner_id, tag.key, tag.key_key, tag.value) for tag in added[1:]] == [
            ("ID", key, key.lower() if folded else key, "v") for key in keys
        ]
        return [tag.key for tag in shown]

    def said(*keys: str) -> tuple[str, str]:
        with pytest.raises(SekishoError) as caught:
            first(*keys)
        assert added == []
        return caught.value.code, caught.value.message

    assert first() == []
    assert first("b", "A") == ["A", "b"]
    assert first("a", "B") == (["a", "B"] if folded else ["B", "a"])
    twice = "Duplicate tag keys found." + (" Please note that Tag keys are case insensitive." if folded else "")
    assert said("a", "a") == ("InvalidInput", twice)
    assert said("Aws:a") == said("b", "aws:") == ("InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
    monkeypatch.setitem(QUOTAS, "TagsPerResourceQuota", 1)
    assert first("a") == ["a"]
    assert said("a", "b") == ("LimitExceeded", "The number of tags has reached the maximum limit.")
    if folded:
        assert said("a", "A") == ("InvalidInput", twice)
    else:
        monkeypatch.setitem(QUOTAS, "TagsPerResourceQuota", 2)
        assert first("a", "A") == ["A", "a"]


def test_tags_take_the_place_of_those_with_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    old = [Tag(owner_id="AIDA", key=key, key_key=key.lower(), value="old") for key in ("Team", "Cost")]
    added: list[Any] = []
    deleted: list[str] = []
    monkeypatch.setattr(tags, "_rows", lambda *_: old)
    session = SimpleNamespace(flush=lambda: None, delete=lambda tag: deleted.append(tag.key))
    call: Any = SimpleNamespace(add=added.append, session=session)
    user = User(id="AIDA")
    monkeypatch.setitem(QUOTAS, "TagsPerResourceQuota", 3)
    tags.put(call, user, [pb.Tag(key="TEAM", value="new"), pb.Tag(key="More", value="v")])
    assert [(tag.key, tag.value) for tag in old] == [("TEAM", "new"), ("Cost", "old")]
    assert [(tag.owner_id, tag.key, tag.key_key, tag.value) for tag in added] == [("AIDA", "More", "more", "v")]
    with pytest.raises(SekishoError, match="The number of tags"):
        tags.put(call, user, [pb.Tag(key="a", value=""), pb.Tag(key="b", value="")])
    tags.remove(call, user, ["cost", "none"])
    assert deleted == ["Cost"]
    assert [(tag.key, tag.value) for tag in tags.messages(call, user)] == [("TEAM", "new"), ("Cost", "old")]
    assert [(tag.key, tag.value) for tag in tags.to_messages({"b": "1", "a": "2"})] == [("b", "1"), ("a", "2")]
    tags.clear(call, user)
    assert deleted == ["Cost", "TEAM", "Cost"]


def test_details_are_ordered_by_kind_name_and_id() -> None:
    rows = [
        *(kind(id="I", account_id=ACCOUNT, name_key="n") for kind in (User, Group, Role, Policy)),
        Policy(id="I", account_id="aws", name_key="n"),
    ]
    assert [account_authorizations._key(row) for row in rows] == [[rank, "n", "I"] for rank in range(5)]
