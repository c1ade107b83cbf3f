"""Analyzers, their archive rules and tags: made, shown, changed, removed; and nobody else's."""

from typing import Any

import pytest

from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing, found, make, until
from tests.services.iam.documents import allow, trust

PUBLIC: dict[str, Any] = {"isPublic": {"eq": ["true"]}}


def test_an_analyzer_is_made_shown_and_removed(house: House, call: Called, failing: Failing) -> None:
    arn = make(call, tags={"team": "blue", "Team": "red"})
    assert arn == f"arn:aws:access-analyzer:us-east-1:{house.account_id}:analyzer/main"
    shown = call("GetAnalyzer", analyzer_name="main").analyzer
    assert (shown.arn, shown.name, shown.type, shown.status) == (arn, "main", "ACCOUNT", "ACTIVE")
    assert dict(shown.tags) == {"team": "blue", "Team": "red"}
    assert not shown.HasField("configuration")
    assert failing("CreateAnalyzer", analyzer_name="main", type="ACCOUNT") == "Conflict"
    assert failing("CreateAnalyzer", analyzer_name="other", type="ACCOUNT") == "ServiceQuotaExceeded"
    assert failing("CreateAnalyzer", analyzer_name="1st", type="ACCOUNT") == "Validation"
    assert [one.name for one in call("ListAnalyzers", type="ACCOUNT").analyzers] == ["main"]
    assert list(call("ListAnalyzers", type="ORGANIZATION").analyzers) == []
    call("DeleteAnalyzer", analyzer_name="main")
    assert failing("GetAnalyzer", analyzer_name="main") == "ResourceNotFound"
    assert failing("DeleteAnalyzer", analyzer_name="main") == "ResourceNotFound"
    assert failing("ListFindings", analyzer_arn=arn) == "ResourceNotFound"
    assert make(call) == arn
    assert dict(call("GetAnalyzer", analyzer_name="main").analyzer.tags) == {}


def test_errors_name_the_resource(house: House, call: Called) -> None:
    with pytest.raises(SekishoError) as caught:
        call("GetAnalyzer", analyzer_name="none")
    assert dict(caught.value.members) == {"resourceId": "none", "resourceType": "Analyzer"}
    with pytest.raises(SekishoError) as caught:
        call("GetAnalyzer", analyzer_name="")
    assert dict(caught.value.members) == {"reason": "fieldValidationFailed"}


def test_tags(call: Called, failing: Failing) -> None:
    arn = make(call, tags={"team": "blue"})
    call("TagResource", resource_arn=arn, tags={"team": "red", "cost": ""})
    assert dict(call("ListTagsForResource", resource_arn=arn).tags) == {"team": "red", "cost": ""}
    call("UntagResource", resource_arn=arn, tag_keys=["team", "absent"])
    assert dict(call("ListTagsForResource", resource_arn=arn).tags) == {"cost": ""}
    for tags in ({"aws:x": ""}, {"": ""}, {"a": "\0"}, {"k" * 129: ""}, {f"k{number}": "" for number in range(50)}):
        assert failing("TagResource", resource_arn=arn, tags=tags) == "Validation"
    assert failing("ListTagsForResource", resource_arn=f"{arn}x") == "ResourceNotFound"
    assert failing("ListTagsForResource", resource_arn="arn:aws:iam::1:user/a") == "ResourceNotFound"


def test_tags_are_condition_keys(house: House, call: Called, failing: Failing) -> None:
    ann = house.user("ann", allow("access-analyzer:*", when={"StringEquals": {"aws:RequestTag/team": "blue"}}))
    assert failing("CreateAnalyzer", ann, analyzer_name="main", type="ACCOUNT", tags={"team": "red"}) == "AccessDenied"
    call("CreateAnalyzer", ann, analyzer_name="main", type="ACCOUNT", tags={"team": "blue"})
    bob = house.user("bob", allow("access-analyzer:*", when={"StringEquals": {"aws:ResourceTag/team": "blue"}}))
    assert call("GetAnalyzer", bob, analyzer_name="main").analyzer.name == "main"
    assert failing("GetAnalyzer", bob, analyzer_name="other") == "AccessDenied"


def test_archive_rules(call: Called, failing: Failing) -> None:
    arn = make(call, archive_rules=[{"rule_name": "first", "filter": PUBLIC}])
    named = {"analyzer_name": "main", "rule_name": "second"}
    call("CreateArchiveRule", **named, filter={"principal.AWS": {"contains": ["1"]}, "error": {"exists": False}})
    assert failing("CreateArchiveRule", **named, filter=PUBLIC) == "Conflict"
    rule = call("GetArchiveRule", **named).archive_rule
    assert (list(rule.filter["principal.AWS"].contains), rule.filter["error"].exists, rule.filter["error"].HasField("exists")) == (
        ["1"],
        False,
        True,
    )
    assert [one.rule_name for one in call("ListArchiveRules", analyzer_name="main").archive_rules] == ["first", "second"]
    call("UpdateArchiveRule", **named, filter=PUBLIC)
    assert list(call("GetArchiveRule", **named).archive_rule.filter) == ["isPublic"]
    call("DeleteArchiveRule", **named)
    for name in ("GetArchiveRule", "DeleteArchiveRule"):
        assert failing(name, **named) == "ResourceNotFound"
    assert failing("ApplyArchiveRule", analyzer_arn=arn, rule_name="second") == "ResourceNotFound"
    wrong: list[dict[str, Any]] = [
        {},
        {"colour": {"eq": ["red"]}},
        {"isPublic": {}},
        {"resource": {"eq": ["x"] * 21}},
        {"principal.": {"exists": True}},
    ]
    for filter_ in wrong:
        assert failing("CreateArchiveRule", **named, filter=filter_) == "Validation"


def test_pages(call: Called, failing: Failing) -> None:
    make(call)
    for number in range(5):
        call("CreateArchiveRule", analyzer_name="main", rule_name=f"rule-{number}", filter=PUBLIC)
    seen: list[str] = []
    token = None
    while len(seen) < 5:
        page = call("ListArchiveRules", analyzer_name="main", max_results=2, next_token=token)
        seen += [one.rule_name for one in page.archive_rules]
        token = page.next_token
    assert (seen, token) == ([f"rule-{number}" for number in range(5)], "")
    first = call("ListArchiveRules", analyzer_name="main", max_results=2).next_token
    call("CreateAnalyzer", analyzer_name="unused", type="ACCOUNT_UNUSED_ACCESS")
    for wrong in ("AAAA", first[:-2]):
        assert failing("ListArchiveRules", analyzer_name="main", next_token=wrong) == "Validation"
    assert failing("ListArchiveRules", analyzer_name="unused", next_token=first) == "Validation"
    assert failing("ListArchiveRules", analyzer_name="main", max_results=0) == "Validation"


def test_configurations(call: Called, failing: Failing) -> None:
    fields: dict[str, Any] = {"analyzer_name": "unused", "type": "ACCOUNT_UNUSED_ACCESS"}
    every: list[dict[str, Any]] = [
        {"unused_access": {"unused_access_age": 0}},
        {"unused_access": {"unused_access_age": 366}},
        {"unused_access": {"analysis_rule": {"exclusions": [{}]}}},
        {"unused_access": {"analysis_rule": {"exclusions": [{"account_ids": ["111122223333"]}]}}},
        {"internal_access": {}},
    ]
    for wrong in every:
        assert failing("CreateAnalyzer", **fields, configuration=wrong) == "Validation"
    tags = {"analysis_rule": {"exclusions": [{"resource_tags": [{"tags": {"team": "blue"}}]}]}}
    call("CreateAnalyzer", **fields, configuration={"unused_access": {"unused_access_age": 30}})
    shown = call("GetAnalyzer", analyzer_name="unused").analyzer.configuration.unused_access
    assert shown.unused_access_age == 30
    changed = call("UpdateAnalyzer", analyzer_name="unused", configuration={"unused_access": {"unused_access_age": 30, **tags}})
    assert dict(changed.configuration.unused_access.analysis_rule.exclusions[0].resource_tags[0].tags) == {"team": "blue"}
    assert failing("UpdateAnalyzer", analyzer_name="unused", configuration={"unused_access": {"unused_access_age": 31}}) == "Validation"
    assert failing("CreateAnalyzer", analyzer_name="x", type="ACCOUNT", configuration={"unused_access": {}}) == "Validation"
    make(call)
    assert failing("UpdateAnalyzer", analyzer_name="main", configuration={}) == "Validation"


def test_nobody_sees_anothers(house: House, call: Called, failing: Failing) -> None:
    arn = make(call, archive_rules=[{"rule_name": "first", "filter": {"status": {"eq": ["NONE"]}}}])
    house.call("CreateRole", role_name="open", assume_role_policy_document=trust("*"))
    (one,) = until(lambda: found(call, arn), "nothing is found")
    stranger = house.account()
    theirs = make(call, _as=stranger)
    role = f"arn:aws:iam::{house.account_id}:role/open"
    for name, fields in {
        "GetFinding": {"id": one.id},
        "GetFindingV2": {"id": one.id},
        "ListFindings": {},
        "ListFindingsV2": {},
        "UpdateFindings": {"ids": [one.id], "status": "ARCHIVED"},
        "GetFindingsStatistics": {},
        "ListAnalyzedResources": {},
        "GetAnalyzedResource": {"resource_arn": role},
        "StartResourceScan": {"resource_arn": role},
        "ApplyArchiveRule": {"rule_name": "first"},
        "ListAccessPreviews": {},
        "CreateAccessPreview": {"configurations": {role: {"iam_role": {"trust_policy": trust("*")}}}},
        "GetFindingRecommendation": {"id": one.id},
        "GenerateFindingRecommendation": {"id": one.id},
    }.items():
        assert failing(name, stranger, analyzer_arn=arn, **fields) == "ResourceNotFound", name
    for name in ("GetFinding", "GetFindingV2", "GenerateFindingRecommendation"):
        assert failing(name, stranger, analyzer_arn=theirs, id=one.id) == "ResourceNotFound", name
    assert failing("UpdateFindings", stranger, analyzer_arn=theirs, ids=[one.id], status="ARCHIVED") == "ResourceNotFound"
    call("UpdateFindings", _as=stranger, analyzer_arn=theirs, resource_arn=role, status="ARCHIVED")
    assert failing("StartResourceScan", stranger, analyzer_arn=theirs, resource_arn=role) == "ResourceNotFound"
    assert [each.status for each in found(call, arn)] == ["ACTIVE"]
    tags: dict[str, dict[str, Any]] = {"TagResource": {"tags": {"a": "b"}}, "UntagResource": {"tag_keys": ["a"]}, "ListTagsForResource": {}}
    for name, more in tags.items():
        assert failing(name, stranger, resource_arn=arn, **more) == "ResourceNotFound", name


def test_only_services_make_service_linked_analyzers(house: House, call: Called, failing: Failing) -> None:
    assert failing("CreateServiceLinkedAnalyzer", type="ACCOUNT") == "AccessDenied"
    make(call)
    assert failing("DeleteServiceLinkedAnalyzer", analyzer_name="main") == "AccessDenied"


def test_callers_need_permission(house: House, call: Called, failing: Failing) -> None:
    own = f"arn:aws:access-analyzer:us-east-1:{house.account_id}:analyzer/main"
    ann = house.user("ann", allow("access-analyzer:GetAnalyzer", "access-analyzer:ListFindings", on=own))
    make(call)
    call("GetAnalyzer", ann, analyzer_name="main")
    call("ListFindings", ann, analyzer_arn=own)
    assert failing("GetAnalyzer", ann, analyzer_name="other") == "AccessDenied"
    assert failing("DeleteAnalyzer", ann, analyzer_name="main") == "AccessDenied"
    bob = house.user("bob", allow("access-analyzer:GetArchiveRule", on=f"{own}/archive-rule/mine"))
    assert failing("GetArchiveRule", bob, analyzer_name="main", rule_name="mine") == "ResourceNotFound"
    assert failing("GetArchiveRule", bob, analyzer_name="main", rule_name="other") == "AccessDenied"
