"""Reports on what the accounts of an organization may use, put together without one."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import policy
from sekisho.calls import affiliation
from sekisho.errors import SekishoError
from sekisho.services.iam import last_accessed
from sekisho.services.iam import organization_access_reports as reports
from sekisho.services.iam.errors import InvalidInput
from sekisho.services.iam.organization_access_reports import Subject
from sekisho.store.tables import Access, OrganizationAccessReport
from tests.calls.fakes import ACCOUNT, NOW, OTHER, attached
from tests.harness import House
from tests.services.conftest import Refused

ORGANIZATION: Any = SimpleNamespace(id="o-abc", root_id="r-1", management_account_id=ACCOUNT)
PARENTS = {"r-1": None, "ou-a": "r-1", "ou-b": "ou-a"}
SECOND = timedelta(seconds=1)


def document(*actions: str, effect: str = "Allow", **more: Any) -> policy.Policy:
    return attached(*actions, effect=effect, **more).program.policy


def test_a_path_goes_from_the_organization_to_the_unit() -> None:
    paths = [reports._path(ORGANIZATION, PARENTS, unit) for unit in PARENTS]
    assert paths == ["o-abc/r-1/", "o-abc/r-1/ou-a/", "o-abc/r-1/ou-a/ou-b/"]


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        (None, ["s3", "shop", "sqs"]),
        ([[document("*")]], ["s3", "shop", "sqs"]),
        ([[document("*")], [document("s3:Get", "own:Read")]], ["own", "s3"]),
        ([[document("s3:*", "sqs:*")], [document("sqs:*", "shop:*")]], ["sqs"]),
        ([[document("*"), document("s3:*", effect="Deny")]], ["shop", "sqs"]),
        ([[document("*"), document("s3:Get*", effect="Deny")]], ["s3", "shop", "sqs"]),
        ([[document("*")], [document("*")], []], []),
    ],
    ids=["management", "everything", "own_service", "levels", "denied", "denied_in_part", "nothing"],
)
def test_what_every_level_leaves_open(levels: Any, found: list[str]) -> None:
    assert reports._open(Subject(levels, {}), {"s3", "sqs", "shop"}) == found


USES = {"b": {"1": NOW, "2": NOW - SECOND}, "c": {"1": NOW}, "a": {"2": NOW - SECOND}}


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("", "abcdx"),
        ("SERVICE_NAMESPACE_ASCENDING", "abcdx"),
        ("SERVICE_NAMESPACE_DESCENDING", "xdcba"),
        ("LAST_AUTHENTICATED_TIME_ASCENDING", "abcdx"),
        ("LAST_AUTHENTICATED_TIME_DESCENDING", "cbadx"),
    ],
)
def test_the_order_that_is_asked_for(key: str, found: str) -> None:
    assert "".join(reports._ordered(list("abcdx"), USES, key)) == found


def test_a_service_by_its_last_use() -> None:
    subject = Subject(None, {"1": "o/r/1/", "2": "o/r/2/"})
    call: Any = SimpleNamespace(session=SimpleNamespace(scalar=lambda _: "eu-west-1"))
    found = reports._detail(call, subject, "s3", {"1": NOW, "2": NOW.replace(microsecond=5)})
    assert (found.service_name, found.service_namespace, found.total_authenticated_entities) == ("Amazon S3", "s3", 2)
    assert (found.entity_path, found.last_authenticated_time.nanos, found.region) == ("o/r/2/", 0, "eu-west-1")
    assert reports._detail(call, subject, "s3", {"2": NOW, "1": NOW}).entity_path == "o/r/2/"
    call.session.scalar = lambda _: ""
    assert not reports._detail(call, subject, "s3", {"1": NOW}).HasField("region")
    found = reports._detail(call, subject, "shop", {})
    assert {field.name for field, _ in found.ListFields()} == {"service_name", "service_namespace"}


def test_the_uses_of_all_accounts_however_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_CHUNK", 2)
    ids = [f"{house.account_id}-{number}" for number in range(6)]
    with house.node.database.write((house.account_id,)) as session:
        for number, id_ in enumerate(ids):
            for action, at in (("Get", NOW), ("Put", NOW - SECOND)):
                columns = {"service": "s3", "action": action, "region": f"{action}-{number}", "at": at}
                session.add(Access(account_id=id_, principal_id=f"AIDA{id_}", **columns))
    with house.node.database.read() as session:
        call: Any = SimpleNamespace(session=session)
        subject = Subject(None, {id_: f"o/{id_}/" for id_ in ids[:5]})
        assert reports._uses(call, subject) == {"s3": dict.fromkeys(ids[:5], NOW)}
        assert reports._detail(call, subject, "s3", {ids[1]: NOW}).region == "Get-1"
        assert reports._uses(call, Subject(None, {})) == {}


@pytest.mark.parametrize(
    ("path", "policy_id", "levels", "accounts"),
    [
        ("o-abc/r-1", None, ["r-1"], {"222": "o-abc/r-1/222/", "333": "o-abc/r-1/ou-a/ou-b/333/"}),
        ("o-abc/r-1/ou-a/", None, ["r-1", "ou-a"], {"333": "o-abc/r-1/ou-a/ou-b/333/"}),
        ("o-abc/r-1/ou-a/ou-b/333", None, ["r-1", "ou-a", "ou-b", "333"], {"333": "o-abc/r-1/ou-a/ou-b/333/"}),
        ("o-abc/r-1/222/", "p-1", ["p-1"], {"222": "o-abc/r-1/222/"}),
        (f"o-abc/r-1/{ACCOUNT}", "p-1", None, {ACCOUNT: f"o-abc/r-1/{ACCOUNT}/"}),
        ("o-abc/r-1/333", None, None, None),
        ("o-abc/ou-a", None, None, None),
        ("o-abc/r-1/444", None, None, None),
        ("o-other/r-1", None, None, None),
    ],
)
def test_the_entity_of_a_path(monkeypatch: pytest.MonkeyPatch, path: str, policy_id: str | None, levels: Any, accounts: Any) -> None:
    """With the policies on each level of the way to it, and the accounts in it but for the one that manages."""
    monkeypatch.setattr(reports, "_attached", lambda call, organization, target: [target])
    monkeypatch.setattr(reports, "_documents", lambda call, organization, wanted, *ids: list(ids))
    units = [SimpleNamespace(id=id_, parent_id=parent) for id_, parent in PARENTS.items()]
    homes = {"222": "r-1", "333": "ou-b", ACCOUNT: "r-1"}
    results: Any = iter([units, [SimpleNamespace(account_id=id_, unit_id=home) for id_, home in homes.items()]])
    call: Any = SimpleNamespace(session=SimpleNamespace(execute=lambda _: next(results)))
    if accounts is None:
        with pytest.raises(InvalidInput) as caught:
            reports._subject(call, ORGANIZATION, path, policy_id)
        assert caught.value.message == f"The entity path {path} does not exist in your organization."
    else:
        found = reports._subject(call, ORGANIZATION, path, policy_id)
        assert (found.levels, found.accounts) == ([[one] for one in levels] if levels is not None else None, accounts)


FULL = "p-FullAWSAccess"
TEXT = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}})


@pytest.mark.parametrize(
    ("contents", "ids", "effects"),
    [
        ([TEXT], ["p-1"], ["Deny"]),
        ([TEXT], ["p-1", FULL], ["Deny", "Allow"]),
        ([], [FULL], ["Allow"]),
        ([], ["p-1"], None),
    ],
)
def test_the_documents_of_policies(contents: list[str], ids: list[str], effects: list[str] | None) -> None:
    """The one that every organization has stands in no row."""
    call: Any = SimpleNamespace(session=SimpleNamespace(scalars=lambda _: contents))
    if effects is None:
        with pytest.raises(InvalidInput, match=r"^The policy p-1 does not exist in your organization\.$"):
            reports._documents(call, ORGANIZATION, True, *ids)
    else:
        found = reports._documents(call, ORGANIZATION, True, *ids)
        assert [document.statements[0].effect for document in found] == effects


def managed(monkeypatch: pytest.MonkeyPatch, organization: Any, *, enabled: bool = True) -> Any:
    monkeypatch.setattr(affiliation, "get", lambda _: organization)
    asked: list[Any] = []

    def get(_: Any, key: Any) -> str | None:
        asked.append(key)
        return "row" if enabled else None

    session = SimpleNamespace(get=get)
    caller, operation = SimpleNamespace(arn="arn:ann"), SimpleNamespace(action="iam:Generate")
    call: Any = SimpleNamespace(account_id=ACCOUNT, caller=caller, operation=operation, session=session)
    found = reports._managed(call)
    assert asked == [("r-1", "SERVICE_CONTROL_POLICY")]
    return found


def test_the_organization_is_one_that_the_account_manages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert managed(monkeypatch, ORGANIZATION) is ORGANIZATION
    denied = "User: arn:ann is not authorized to perform: iam:Generate outside of a management account"
    for other in (None, SimpleNamespace(id="o", root_id="r-1", management_account_id=OTHER)):
        with pytest.raises(SekishoError) as caught:
            managed(monkeypatch, other)
        assert (caught.value.code, caught.value.message) == ("AccessDenied", denied)
    with pytest.raises(SekishoError) as caught:
        managed(monkeypatch, ORGANIZATION, enabled=False)
    sentence = "Service control policies are not enabled in the root of your organization."
    assert (caught.value.code, caught.value.message) == ("InvalidInput", sentence)


def test_reports_of_an_account_end_after_a_week(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    subjects: list[Any] = []
    gone: list[InvalidInput] = []

    def subject(call: Any, organization: Any, path: str, policy_id: str | None) -> Subject:
        subjects.append((organization, path, policy_id))
        if gone:
            raise gone[0]
        return Subject([[document("own:*", "s3:*")]], {house.account_id: "o/r/1/"})

    monkeypatch.setattr(reports, "_managed", lambda _: ORGANIZATION)
    monkeypatch.setattr(reports, "_subject", subject)
    path = "o-1234567890/r-abcd"
    jobs = [house.call("GenerateOrganizationsAccessReport", entity_path=path).job_id for _ in range(3)]
    other = house.call("GenerateOrganizationsAccessReport", _as=house.account(), entity_path=path).job_id
    with house.node.database.write((house.account_id,)) as session:
        for job in (*jobs[:2], other):
            session.get_one(OrganizationAccessReport, job).created_at -= last_accessed.KEPT
        session.get_one(OrganizationAccessReport, jobs[1]).created_at += timedelta(hours=1)
        columns = {"service": "s3", "action": "Get", "region": "eu-west-1", "at": NOW}
        session.add(Access(account_id=house.account_id, principal_id=f"AIDA{house.account_id}", **columns))
    for job in (jobs[0], other):
        assert refused("GetOrganizationsAccessReport", job_id=job) == ("NoSuchEntity", f"Job {job} was not found.")
    last = house.call("GenerateOrganizationsAccessReport", entity_path=path, organizations_policy_id="p-12345678").job_id
    with house.node.database.read() as session:
        there = [session.get(OrganizationAccessReport, job) is not None for job in (*jobs, other)]
    assert there == [False, True, True, True]
    subjects.clear()
    found = house.call("GetOrganizationsAccessReport", job_id=last)
    assert subjects == [(ORGANIZATION, path, "p-12345678")]
    assert (found.job_status, found.job_creation_date, found.job_creation_date.nanos) == ("COMPLETED", found.job_completion_date, 0)
    assert (found.number_of_services_accessible, found.number_of_services_not_accessed) == (2, 1)
    assert [one.service_namespace for one in found.access_details] == ["own", "s3"]
    assert (found.HasField("is_truncated"), found.is_truncated, found.HasField("marker")) == (True, False, False)
    first = house.call("GetOrganizationsAccessReport", job_id=jobs[1], max_items=1, sort_key="SERVICE_NAMESPACE_DESCENDING")
    assert ([one.service_namespace for one in first.access_details], first.is_truncated) == (["s3"], True)
    assert first.access_details[0].entity_path == "o/r/1/"
    assert first.marker
    gone.append(InvalidInput("It is gone."))
    found = house.call("GetOrganizationsAccessReport", job_id=last)
    assert (found.job_status, found.error_details.message, found.error_details.code) == ("FAILED", "It is gone.", "InvalidInput")
    assert (len(found.access_details), found.HasField("number_of_services_accessible")) == (0, False)
