"""One program against one request: Denies and grants of resource policies."""

from typing import Any

from sekisho.policy import evaluate, keys
from sekisho.policy.compile import Program, compile_policy
from sekisho.policy.document import from_json
from sekisho.policy.principals import ACCOUNT, DIRECT, LIMITED, NONE, Principal

ALICE = Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333", unique_id="AIDAALICE")
SESSION = Principal(
    "assumed-role",
    "arn:aws:sts::111122223333:assumed-role/app/s",
    "111122223333",
    role_arn="arn:aws:iam::111122223333:role/team/app",
    unique_id="AROAAPP",
)
NOTHING = keys.context({})


def program(*statements: dict[str, Any]) -> Program:
    return compile_policy(from_json({"Version": "2012-10-17", "Statement": list(statements)}))


def granted(principal: Principal, *elements: dict[str, Any], context: dict[str, Any] | None = None) -> int:
    """What the best of some Allows is worth to a principal."""
    made = program(*({"Effect": "Allow", "Action": "*", "Resource": "*", **element} for element in elements))
    side = made.resource_bucket("s3:GetObject")[1]
    assert side is not None
    return evaluate.granting(side, "x", keys.context(context or {}), principal)[0]


def denied(principal: Principal, element: dict[str, Any], *, bounded: bool = False) -> bool:
    """Whether a Deny hits a principal."""
    side = program({"Effect": "Deny", "Action": "*", "Resource": "*", **element}).resource_bucket("s3:GetObject")[0]
    assert side is not None
    return bool(list(evaluate.denying(side, "x", NOTHING, principal, bounded=bounded)))


def aws(*names: str) -> dict[str, Any]:
    return {"Principal": {"AWS": list(names)}}


def not_aws(*names: str) -> dict[str, Any]:
    return {"NotPrincipal": {"AWS": list(names)}}


def test_a_user_by_name_and_by_id() -> None:
    assert granted(ALICE, aws("arn:aws:iam::111122223333:user/alice")) == DIRECT
    assert granted(ALICE, aws("AIDAALICE")) == DIRECT
    assert granted(ALICE, aws("arn:aws:iam::111122223333:user/path/alice")) == NONE
    assert granted(ALICE, aws("AIDABOB")) == NONE


def test_an_account_in_all_its_forms() -> None:
    for name in ("111122223333", "arn:aws:iam::111122223333:root", "arn:aws-cn:iam::111122223333:root"):
        assert granted(ALICE, aws(name)) == ACCOUNT
        assert granted(SESSION, aws(name)) == ACCOUNT
    assert granted(ALICE, aws("444455556666")) == NONE
    owner = Principal("user", ALICE.arn, ALICE.account, canonical="79a59df9")
    assert granted(owner, {"Principal": {"CanonicalUser": "79a59df9"}}) == ACCOUNT
    assert granted(ALICE, {"Principal": {"CanonicalUser": "79a59df9"}}) == NONE


def test_a_role_by_name_by_id_and_by_session() -> None:
    assert granted(SESSION, aws("arn:aws:iam::111122223333:role/team/app")) == LIMITED
    assert granted(SESSION, aws("AROAAPP")) == LIMITED
    assert granted(SESSION, aws("arn:aws:sts::111122223333:assumed-role/app/s")) == DIRECT
    assert granted(SESSION, aws("arn:aws:sts::111122223333:assumed-role/app/t")) == NONE
    assert granted(SESSION, aws("arn:aws:iam::111122223333:role/app")) == NONE


def test_a_session_whose_role_has_an_unknown_path() -> None:
    session = Principal("assumed-role", "arn:aws:sts::111122223333:assumed-role/app/s", "111122223333")
    assert granted(session, aws("arn:aws:iam::111122223333:role/team/app")) == LIMITED
    assert granted(session, aws("arn:aws:iam::111122223333:role/app")) == LIMITED
    assert granted(session, aws("arn:aws:iam::444455556666:role/app")) == NONE
    assert granted(session, aws("arn:aws:iam::111122223333:role/other")) == NONE


def test_ids_of_another_kind_do_not_match() -> None:
    federated = Principal("federated-user", "arn:aws:sts::111122223333:federated-user/kim", "111122223333", unique_id="AIDAALICE")
    assert granted(federated, aws("AIDAALICE")) == NONE
    assert granted(federated, aws("arn:aws:sts::111122223333:federated-user/kim")) == DIRECT


def test_an_empty_id_is_nobody() -> None:
    nameless = Principal("role", "arn:aws:iam::111122223333:role/x", "111122223333")
    assert granted(nameless, aws("")) == NONE


def test_everybody() -> None:
    assert granted(ALICE, {"Principal": "*"}) == LIMITED
    assert granted(ALICE, aws("*")) == LIMITED
    assert granted(Principal("anonymous", "", ""), aws("*")) == LIMITED
    assert granted(Principal("service", "sns.amazonaws.com", ""), {"Principal": "*"}) == LIMITED


def test_everybody_with_a_certain_arn() -> None:
    context = {"aws:PrincipalArn": ALICE.arn}
    for operator in ("ArnEquals", "ArnLike", "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ForAnyValue:ArnLike"):
        element = {"Principal": "*", "Condition": {operator: {"aws:principalarn": ALICE.arn}}}
        assert granted(ALICE, element, context=context) == DIRECT
    for operator in ("ArnLikeIfExists", "ForAllValues:ArnLike"):
        element = {"Principal": "*", "Condition": {operator: {"aws:PrincipalArn": ALICE.arn}}}
        assert granted(ALICE, element, context=context) == LIMITED
    element = {"Principal": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::1:user/x"}}}
    assert granted(ALICE, element, context=context) == LIMITED


def test_services_and_providers() -> None:
    sns = Principal("service", "sns.amazonaws.com", "")
    assert granted(sns, {"Principal": {"Service": ["sqs.amazonaws.com", "sns.amazonaws.com"]}}) == LIMITED
    assert granted(sns, {"Principal": {"Service": "sqs.amazonaws.com"}}) == NONE
    assert granted(sns, {"Principal": {"Service": "*"}}) == NONE
    web = Principal("federated", "", "", provider="accounts.google.com")
    assert granted(web, {"Principal": {"Federated": "accounts.google.com"}}) == ACCOUNT
    assert granted(web, {"Principal": {"Federated": "www.amazon.com"}}) == NONE
    assert granted(ALICE, {"Principal": {"Federated": ""}}) == NONE


def test_the_best_grant_counts() -> None:
    assert granted(ALICE, {"Principal": "*"}, aws("111122223333"), aws("AIDAALICE")) == DIRECT
    assert granted(SESSION, aws("111122223333"), aws("AROAAPP")) == LIMITED


def test_an_allow_to_all_but_some() -> None:
    assert granted(ALICE, not_aws("arn:aws:iam::111122223333:user/bob")) == LIMITED
    assert granted(ALICE, not_aws("111122223333")) == NONE
    assert granted(ALICE, not_aws("AIDAALICE")) == NONE


def test_denies_by_name() -> None:
    assert denied(ALICE, aws("111122223333"))
    assert denied(SESSION, aws("arn:aws:iam::111122223333:role/team/app"))
    assert not denied(ALICE, aws("arn:aws:iam::111122223333:user/bob"))
    assert denied(Principal("anonymous", "", ""), {"Principal": "*"})
    assert denied(Principal("service", "sns.amazonaws.com", ""), {"Principal": {"Service": "*"}})


def test_denies_to_all_but_some_ask_for_the_whole_chain() -> None:
    user, role, account = "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/team/app", "111122223333"
    assert not denied(ALICE, not_aws(user, account))
    assert denied(ALICE, not_aws(user))
    assert denied(ALICE, not_aws(account))
    assert not denied(SESSION, not_aws(SESSION.arn, role, account))
    assert not denied(SESSION, not_aws(SESSION.arn, "AROAAPP", account))
    assert denied(SESSION, not_aws(role, account))
    assert denied(SESSION, not_aws(SESSION.arn, account))
    assert denied(SESSION, not_aws(SESSION.arn, role))
    root = Principal("root", "arn:aws:iam::111122223333:root", "111122223333")
    assert not denied(root, not_aws(account))
    sns = Principal("service", "sns.amazonaws.com", "")
    assert not denied(sns, {"NotPrincipal": {"Service": "sns.amazonaws.com"}})
    assert denied(sns, not_aws(account))
    assert denied(Principal("anonymous", "", ""), not_aws(account))
    assert not denied(Principal("anonymous", "", ""), {"NotPrincipal": "*"})


def test_a_boundary_is_always_hit_by_not_principal() -> None:
    assert denied(ALICE, not_aws(ALICE.arn, "111122223333"), bounded=True)
    assert not denied(ALICE, aws("444455556666"), bounded=True)


def test_a_deny_that_names_nobody_hits_everybody() -> None:
    assert denied(ALICE, {})
