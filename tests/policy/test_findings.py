"""Every check finds what it is for, where it is, and nothing in a policy that is as it should be."""

import pytest

from sekisho.policy import findings as examined
from sekisho.policy.checks.subject import Subject
from sekisho.policy.document import read_text
from sekisho.policy.findings import CHECKS, SEVERITIES, Finding, Severity, findings
from sekisho.policy.kinds import Kind
from tests.policy.documents import managed, statements, when
from tests.policy.faultless import FAULTLESS
from tests.policy.faults_of_form import FAULTS_OF_FORM, MANAGED
from tests.policy.faults_of_meaning import FAULTS_OF_MEANING

CASES = FAULTS_OF_FORM | FAULTS_OF_MEANING


@pytest.mark.parametrize(("kind", "text", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_found(kind: Kind, text: str, expected: set[tuple[str, str]]) -> None:
    assert {(finding.issue, finding.path) for finding in findings(text, kind)} == expected


@pytest.mark.parametrize(("kind", "text"), FAULTLESS.values(), ids=FAULTLESS.keys())
def test_nothing_is_found_where_nothing_is_wrong(kind: Kind, text: str) -> None:
    assert findings(text, kind) == ()


def test_every_issue_has_a_case() -> None:
    found = {issue for _, _, expected in CASES.values() for issue, _ in expected}
    assert found == set(SEVERITIES) - {"UNKNOWN_ACTION", "UNKNOWN_CONDITION_KEY", "UNKNOWN_RESOURCE_TYPE"}, "those of test_defined"


def test_every_check_finds_something_and_is_silent_elsewhere() -> None:
    subjects = []
    for kind, text, _ in CASES.values():
        if text != "{":
            policy, grammar = read_text(text)
            subjects.append(Subject(text, kind, policy, grammar))
    for check in CHECKS:
        silent = [next(check(subject), None) is None for subject in subjects]
        assert not all(silent), check
        assert any(silent), check


def test_a_finding_says_where_it_is() -> None:
    text = """{
      "Version": "2012-10-17",
      "Statement": {
        "Effect": "Allow", "Resource": "*", "Action": ["s3:Get*",
          "s3:GetObject"]
      }
    }"""
    assert findings(text, MANAGED) == (
        Finding(Severity.SUGGESTION, "REDUNDANT_ACTION", "`s3:get*` covers `s3:GetObject`", "$.Statement.Action[1]", 5, 11),
    )


def test_a_finding_about_a_key_points_at_the_key() -> None:
    text = """{
      "Version": "2012-10-17",
      "Statement": {
        "Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringLik": {}, "Bool": {"aws:SecureTransprt": "true"}}
      }
    }"""
    assert findings(text, MANAGED) == (
        Finding(
            Severity.ERROR,
            "INVALID_GLOBAL_CONDITION_KEY",
            "there is no global condition key `aws:SecureTransprt`; is `aws:SecureTransport` meant?",
            '$.Statement.Condition.Bool["aws:SecureTransprt"]',
            5,
            49,
        ),
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('{\n "Version": 2012-10-17}', 2, 17, "expecting ',' delimiter"),
        ('{\n "Id": "a",\n  "Id": "b"}', 3, 3, "key `Id` stands twice in one object"),
        ('{\n "Id": "\u0100"}', 2, 9, "character U+0100 is not allowed"),
        ("{\n" + "[" * 40, 2, 32, "more than 32 levels of nesting"),
        (" " * 131_073, 1, 1, "the document has 131073 characters; at most 131072 are allowed"),
    ],
    ids=["syntax", "duplicate_key", "character", "depth", "size"],
)
def test_what_is_no_strict_json_has_a_place(text: str, line: int, column: int, message: str) -> None:
    assert findings(text, MANAGED) == (Finding(Severity.ERROR, "JSON_SYNTAX_ERROR", message, "$", line, column),)


def test_what_is_refused_is_an_error_whatever_its_class() -> None:
    severities = {kind: [finding.severity for finding in findings(managed(Version=None), kind)] for kind in (Kind.MANAGED, Kind.IDENTITY)}
    assert severities == {Kind.MANAGED: [Severity.ERROR], Kind.IDENTITY: [Severity.WARNING]}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("StringLik", "StringLike"),
        ("stringequals", "StringEquals"),
        ("ForAnyvalue:StringLik", "ForAnyValue:StringLike"),
        ("NumericLessOrEqualsIfExist", None),
        ("stringnotlikeifexists", "StringNotLikeIfExists"),
        ("Frobnicate", None),
        ("For:StringEqual", None),
        ("StringEquals" * 10, None),
    ],
)
def test_an_unknown_operator_brings_a_suggestion(written: str, meant: str | None) -> None:
    (finding,) = findings(managed(Condition=when(written, "aws:username", "a")), MANAGED)
    assert (f"is `{meant}` meant?" in finding.message) == (meant is not None)


def test_findings_are_bounded() -> None:
    many = managed(Resource=["x"] * 5_000)
    assert len(findings(many, MANAGED)) <= examined.MAX_FINDINGS


@pytest.mark.bounded
@pytest.mark.parametrize(
    "text",
    [
        managed(Action=[f"s3:*a{i}*" for i in range(9_000)]),
        managed(Resource=["arn:aws:s3:::" + "*a" * 40 + str(i) for i in range(1_000)]),
        managed(Action=["s3:" + "*a" * 30_000, "s3:" + "a" * 60_000]),
        statements(*[{"Effect": "Allow", "Action": ["a:*b", f"a:{i}*"], "Resource": "*"} for i in range(1_500)]),
        managed(Resource="arn:aws:s3:::" + "${a, '" * 20_000),
        managed(Condition={f"StringEqual{i}": {"aws:userna": "a"} for i in range(2_500)}),
    ],
    ids=["actions", "resources", "stars", "statements", "variables", "unknown_operators"],
)
def test_hostile_documents_are_examined_in_bounded_time(text: str) -> None:
    import time

    assert len(text) <= 131_072
    started = time.process_time()
    findings(text, MANAGED)
    assert time.process_time() - started < 12  # measured: at most 0.6 s
