"""Cases at the edges of what is translated, where a `no` would be wrong: the evaluator's own word stands beside each."""

import pytest

from sekisho import policy as policies
from sekisho.analysis.solver import Answer, PolicyType, Witness, Zone, exposure, external, new_access, public, questions, witnesses
from tests.analysis.solver import strangers
from tests.analysis.solver.documents import allow, deny, policy, to

NOTHING = policy(deny())
ALICE = policies.Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333")


def _more(existing: str, new: str) -> Answer:
    return new_access(existing, new, PolicyType.IDENTITY, milliseconds=10_000).answer


def test_what_stands_before_a_variable_is_compared_in_any_case() -> None:
    said = {"StringEqualsIgnoreCase": {"aws:RequestTag/team": "TEAM-${aws:PrincipalTag/t}"}}
    spared = deny(condition={"StringLike": {"aws:RequestTag/team": "TEAM-*"}})
    assert _more(NOTHING, policy(allow(condition=said), spared)) is Answer.YES
    other = deny(condition={"StringNotLike": {"aws:RequestTag/team": "other*"}})
    assert _more(NOTHING, policy(allow(condition=said), other)) is Answer.NO


@pytest.mark.parametrize("between", ["", "${aws:PrincipalTag/n, ''}"])
def test_what_stands_before_a_dot_in_a_variable_is_a_letter_with_a_dot(between: str) -> None:
    """Where the tag is U+0307, the text U+0130 is the listed one in lower case: `i` and the dot; also with nothing between them."""
    said = {"StringEqualsIgnoreCase": {"aws:RequestTag/team": f"I{between}${{aws:PrincipalTag/t}}"}}
    spared, nameless = (deny(condition={"StringLike": one}) for one in ({"aws:RequestTag/team": ["i*", "I*"]}, {"aws:PrincipalTag/n": "*"}))
    document = policy(allow(condition=said), spared, nameless)
    request = Witness(ALICE, "s3:GetObject", "*", {"aws:requesttag/team": "\u0130", "aws:principaltag/t": "\u0307"})
    assert witnesses.is_granted(questions.read(document, PolicyType.IDENTITY), request, of_resource=False)
    assert _more(NOTHING, document) is not Answer.NO
    more = deny(condition={"StringLike": {"aws:RequestTag/team": ["i*", "I*", "\u0130*"]}})
    assert _more(NOTHING, policy(allow(condition=said), more)) is Answer.NO


def test_nothing_is_nothing_with_whatever_exponent() -> None:
    existing, new = (policy(allow(condition={"NumericLessThan": {"s3:max-keys": text}})) for text in ("0", "0e99"))
    assert _more(existing, new) is Answer.NO
    assert _more(policy(allow(condition={"NumericLessThan": {"s3:max-keys": "-1"}})), new) is Answer.YES


def test_one_condition_may_need_two_values() -> None:
    """Nothing but an empty text counts as nothing, so it takes another value beside it for ForAllValues to be unmet."""
    existing = policy(allow(condition={"ForAllValues:StringLike": {"orders:Labels": "?*"}}))
    verdict = new_access(existing, policy(allow()), PolicyType.IDENTITY, milliseconds=10_000)
    assert verdict.answer is Answer.YES
    assert verdict.witness is not None
    assert len(verdict.witness.context["orders:labels"]) == 2


def test_a_list_that_has_a_value_is_not_nothing() -> None:
    some = {"ForAnyValue:StringEquals": {"orders:Labels": "a"}}
    existing = policy(allow(condition={**some, "Null": {"orders:Labels": "false"}}))
    assert _more(existing, policy(allow(condition=some))) is Answer.NO


def test_strangers_notice_a_planted_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if any range of IPv4 were somebody's."""
    text = strangers.document(147)
    assert strangers.difference_of(text) == ""
    monkeypatch.setattr(exposure, "_WIDEST", {32: 0, 128: 32})
    assert strangers.difference_of(text) != ""


LONG = "123456789012345678901234567890"


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [(f"{LONG}.1", f"{LONG}.2"), (f"0.{LONG[:-1]}1", f"0.{LONG[:-1]}2"), (f"-{LONG[:-1]}2", f"-{LONG[:-1]}1")],
)
def test_numbers_are_compared_to_the_last_of_their_digits(smaller: str, larger: str) -> None:
    existing, new = (policy(allow(condition={"NumericLessThanEquals": {"s3:max-keys": text}})) for text in (smaller, larger))
    assert _more(existing, new) is Answer.YES
    assert _more(new, existing) is Answer.NO


def test_a_path_of_a_principal_may_have_colons() -> None:
    said = {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a:b/*"}}
    assert _more(NOTHING, policy(allow(condition=said))) is Answer.YES


@pytest.mark.parametrize(
    ("addresses", "answer"),
    [
        ("::ffff:0:0/96", Answer.YES),
        ("::ffff:0.0.0.0/103", Answer.YES),
        ("::ffff:10.0.0.0/104", Answer.NO),
        ("10.0.0.0/8", Answer.NO),
        ("10.0.0.0/7", Answer.YES),
        ("2001:db8::/32", Answer.NO),
        ("2001:db8::/31", Answer.YES),
    ],
)
def test_a_range_of_addresses_is_as_wide_as_what_it_holds(addresses: str, answer: Answer) -> None:
    document = policy(to("*", condition={"IpAddress": {"aws:SourceIp": addresses}}))
    assert public(document, milliseconds=10_000).answer is answer


@pytest.mark.parametrize(
    ("operator", "written", "answer"),
    [
        ("StringLike", "arn:aws:sns:*:111122223333:orders", Answer.YES),  # also arn:aws:sns:eu-west-1:666666666666:a:111122223333:orders
        ("StringLike", "arn:aws:sns:?:111122223333:orders", Answer.YES),
        ("StringLike", "arn:aws:sns:eu-west-1:111122223333:*", Answer.NO),
        ("ArnLike", "arn:aws:sns:*:111122223333:*", Answer.NO),
    ],
)
def test_an_account_is_fixed_where_no_wildcard_runs_over_it(operator: str, written: str, answer: Answer) -> None:
    document = policy(to("*", condition={operator: {"aws:SourceArn": written}}))
    assert public(document, milliseconds=10_000).answer is answer


def test_all_that_is_asked_of_a_key_is_told() -> None:
    both = {"StringEquals": {"aws:SourceVpc": "vpc-1"}, "StringNotEquals": {"aws:sourcevpc": "vpc-2"}}
    zone = Zone(frozenset(("111122223333",)))
    (grant,) = external(policy(to("*", condition=both)), "arn:aws:s3:::bucket", "111122223333", zone, milliseconds=10_000)
    assert grant.condition == {"aws:SourceVpc": "vpc-1,vpc-2"}


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "ForAnyValue:StringEqualsIgnoreCase"])
def test_anonymous_is_nobodys_account(operator: str) -> None:
    document = policy(to("*", condition={operator: {"aws:PrincipalAccount": "anonymous"}}))
    verdict = public(document, milliseconds=10_000)
    assert verdict.answer is Answer.YES
    assert verdict.witness is not None
    assert verdict.witness.principal.kind == "anonymous"


def test_a_deny_meets_one_of_several_values_without_a_quantifier() -> None:
    """AWS promises nothing of it; doubt denies."""
    denied = deny(condition={"StringEquals": {"orders:Labels": "a"}})
    listed = allow(condition={"ForAnyValue:StringEquals": {"orders:Labels": "a"}})
    assert _more(NOTHING, policy(listed, denied)) is Answer.NO


def test_a_star_before_a_variable_crosses_no_colon() -> None:
    """However what follows the variable begins: only the variable's own value could begin with one."""
    team = "${aws:PrincipalTag/team}"
    existing, new = (policy(allow("s3:*", f"arn:aws:s3:::{start}{team}:x")) for start in ("*", "a:b"))
    assert _more(existing, new) is Answer.YES
    assert _more(existing, policy(allow("s3:*", f"arn:aws:s3:::ab{team}:x"))) is Answer.NO
