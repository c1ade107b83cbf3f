"""Subjects: who is meant by a name, an id or a condition key that follows the principal, for each kind of principal."""

import pytest

from sekisho.analysis.solver import languages, subjects
from sekisho.analysis.solver.formulas import FALSE, Formula, every, no
from sekisho.policy import Principal
from tests.analysis.solver.requests_read import Asked

ACCOUNT, OTHER = "111122223333", "444455556666"
IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"
WHO = {
    "user": Asked("user", f"{IAM}:user/ann", "AIDAONE"),
    "user on a path": Asked("user", f"{IAM}:user/staff/ann", "AIDATWO"),
    "role": Asked("role", f"{IAM}:role/app", "AROAONE"),
    "session": Asked("assumed-role", f"{IAM}:role/app", "AROAONE:ann"),
    "session on a path": Asked("assumed-role", f"{IAM}:role/team/app", "AROATWO:bob"),
    "federated user": Asked("federated-user", f"{STS}:federated-user/ann", ""),
    "root": Asked("root", f"{IAM}:root", ""),
    "service": Asked("service", "sns.amazonaws.com", ""),
    "provider": Asked("federated", f"{IAM}:saml-provider/adfs", ""),
    "anonymous": Asked("anonymous", "", ""),
    "another root": Asked("root", f"arn:aws-cn:iam::{OTHER}:root", ""),
}
USERS, SESSIONS = {"user", "user on a path"}, {"session", "session on a path"}
OF_ACCOUNT = {*USERS, "role", *SESSIONS, "federated user", "root"}


def met(formula: Formula) -> set[str]:
    return {name for name, one in WHO.items() if one.meets(formula)}


def of(*texts: str) -> languages.Language:
    return languages.literals(texts)


def of_key(name: str, *texts: str) -> Formula:
    return subjects.FOLLOWING[name][1](of(*texts))


MEANT = {
    "an account": (subjects.account(of(ACCOUNT)), OF_ACCOUNT),
    "two accounts": (subjects.account(of(ACCOUNT, OTHER)), {*OF_ACCOUNT, "another root"}),
    "accounts by a pattern": (subjects.account(languages.Language([(*languages.text("1111"), languages.ANYTHING)])), OF_ACCOUNT),
    "no account, that has a letter": (subjects.account(of("11112222333a")), set()),
    "no account, of which a part is one": (subjects.account(of("1111")), set()),
    "the key of an account": (of_key("aws:principalaccount", ACCOUNT), OF_ACCOUNT),
    "the key of nobody's account": (of_key("aws:principalaccount", "anonymous"), {"anonymous"}),
    "the key of another case": (of_key("aws:principalaccount", "Anonymous"), set()),
    "an ARN": (of_key("aws:principalarn", f"{IAM}:role/app"), {"role", "session"}),
    "type User": (of_key("aws:principaltype", "User"), USERS),
    "type Account": (of_key("aws:principaltype", "Account"), {"root", "another root"}),
    "type AssumedRole": (of_key("aws:principaltype", "AssumedRole"), {"role", *SESSIONS}),
    "type FederatedUser": (of_key("aws:principaltype", "FederatedUser"), {"federated user"}),
    "type Anonymous": (of_key("aws:principaltype", "Anonymous"), {"anonymous"}),
    "type of another case": (of_key("aws:principaltype", "user", "account", "ROOT"), set()),
    "a name": (of_key("aws:username", "ann"), USERS),
    "a name with a path is none": (of_key("aws:username", "staff/ann"), set()),
    "names": (subjects.FOLLOWING["aws:username"][1](languages.EVERYTHING), USERS),
    "another name": (of_key("aws:username", "bob"), set()),
    "a unique id": (subjects.user_id(of("AIDAONE")), {"user"}),
    "the id of a role": (subjects.user_id(of("AROAONE")), {"role"}),
    "the id of a session": (subjects.user_id(of("AROAONE:ann")), {"session"}),
    "the id of the root user": (subjects.user_id(of(ACCOUNT)), {"root"}),
    "the id of a federated user": (subjects.user_id(of(f"{ACCOUNT}:ann")), {"federated user"}),
    "of a federated user by a pattern": (
        subjects.user_id(languages.Language([(*languages.text("1111"), languages.ANYTHING, *languages.text("nn"))])), {"federated user"},
    ),
    "of a federated user with whatever stands for the colon": (
        subjects.user_id(languages.Language([(*languages.text(ACCOUNT), languages.Item(languages.ALL), *languages.text("ann"))])),
        {"federated user"},
    ),
    "of a federated user with no colon": (subjects.user_id(of(f"{ACCOUNT}ann", f"{ACCOUNT}/ann")), set()),
    "of no federated user, with a letter in the account": (subjects.user_id(of(f"x{ACCOUNT}:ann")), set()),
    "of no federated user, with a slash in the name": (subjects.user_id(of(f"{ACCOUNT}:p/ann")), set()),
    "a user by ARN": (subjects.named([f"{IAM}:user/ann"]), {"user"}),
    "a role by ARN": (subjects.named([f"{IAM}:role/app"]), {"role", "session"}),
    "a federated user by ARN": (subjects.named([f"{STS}:federated-user/ann"]), {"federated user"}),
    "the root user by ARN, which is its account": (subjects.named([f"{IAM}:root"]), set()),
    "a provider by ARN, which is no AWS principal": (subjects.named([f"{IAM}:saml-provider/adfs"]), set()),
    "a user by id": (subjects.named(["AIDAONE"]), {"user"}),
    "a role by id, and its sessions": (subjects.named(["AROAONE"]), {"role", "session"}),
    "a session by the text of its id is nobody": (subjects.named(["AROAONE:ann"]), set()),
    "nobody by a star or nothing": (subjects.named(["*", ""]), set()),
    "a session by ARN": (subjects.named([f"{STS}:assumed-role/app/ann"]), {"session"}),
    "a session whose role has a path": (subjects.named([f"{STS}:assumed-role/app/bob"]), {"session on a path"}),
    "of several names": (subjects.named([f"{IAM}:user/ann", "AIDATWO", f"{STS}:assumed-role/app/ann"]), {*USERS, "session"}),
    "of a role by its ARN": (subjects.role_named([f"{IAM}:role/app"]), {"role", "session"}),
    "of a role by its id": (subjects.role_named(["AROATWO"]), {"session on a path"}),
    "of no role: a user's ARN and id": (subjects.role_named([f"{IAM}:user/ann", "AIDAONE"]), set()),
    "outside": (subjects.is_outside(), {"service", "provider", "anonymous"}),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_who_is_meant(name: str) -> None:
    formula, expected = MEANT[name]
    assert met(formula) == expected


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:assumed-role/app/ann",  # of another service
        f"arn:aws:sts:eu-west-1:{ACCOUNT}:assumed-role/app/ann",  # of a region
        f"{STS}:x:assumed-role/app/ann",  # one segment too many
        f"{STS}:role/app/ann",
        f"{STS}:assumed-role/app",
        f"{STS}:assumed-role/app/ann/bob",
        f"{STS}:assumed-role/team/app/ann",
        f"{STS}:assumed-role/app/cid",
        f"{STS}:assumed-role/other/ann",
        f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/app/ann",
        f"arn:aws:sts::{OTHER}:assumed-role/app/ann",
        "assumed-role/app/ann",
    ],
)
def test_what_names_no_session(name: str) -> None:
    assert met(subjects.session_named([name])) == set()
    assert met(subjects.session_named([name, f"{STS}:assumed-role/app/ann"])) == {"session"}


HAVE = {
    "aws:principalarn": OF_ACCOUNT | {"another root"},
    "aws:principalaccount": OF_ACCOUNT | {"another root", "anonymous"},
    "aws:principaltype": OF_ACCOUNT | {"another root", "anonymous"},
    "aws:username": USERS,
}


@pytest.mark.parametrize("key", HAVE)
def test_who_has_a_key(key: str) -> None:
    assert met(subjects.of_kinds(subjects.FOLLOWING[key][0])) == HAVE[key]


def test_the_keys_that_follow() -> None:
    assert subjects.FOLLOWING.keys() == HAVE.keys()


OF_RULES = {
    "each": (subjects.KINDS, False, set(WHO)),
    "of identities": (subjects.OF_IDENTITY, False, {*USERS, "role", *SESSIONS}),
    "one": (("role",), False, {"role"}),
}


def test_names_of_any_characters() -> None:
    assert Asked("user", f"{IAM}:user/a~b", "AIDAONE").meets(of_key("aws:username", "a~b"))


def test_ids_that_only_begin_so() -> None:
    for user_id in ("AROAONE~:ann", "AROAONE~ann"):
        role = Asked("assumed-role", f"{IAM}:role/app", user_id)
        assert not role.meets(subjects._of_ids(["AROAONE"]))
    assert not Asked("assumed-role", f"{IAM}:role/app", "AROAONE~ann").meets(subjects.session_named([f"{STS}:assumed-role/app/ann"]))


def test_an_id_is_no_arn() -> None:
    """Of either nothing is asked that the other could be."""
    assert subjects._arns(["AIDAONE", f"{IAM}:user/ann"]) == of(f"{IAM}:user/ann")
    assert subjects._of_ids([f"{IAM}:user/ann"]) == FALSE


@pytest.mark.parametrize("name", OF_RULES)
def test_what_holds_for_all(name: str) -> None:
    kinds, known, expected = OF_RULES[name]
    assert {name for name, one in WHO.items() if all(map(one.meets, subjects.rules(kinds, known=known)))} == expected


IMPOSSIBLE = {
    "a user without an id": Asked("user", f"{IAM}:user/ann", ""),
    "a user with an account for an id": Asked("user", f"{IAM}:user/ann", ACCOUNT),
    "a user with a role's ARN": Asked("user", f"{IAM}:role/ann", "AIDAONE"),
    "a session with an id of a role": Asked("assumed-role", f"{IAM}:role/app", "AROAONE"),
    "a role with an id of a session": Asked("role", f"{IAM}:role/app", "AROAONE:ann"),
    "a session with a role's ARN of STS": Asked("assumed-role", f"{STS}:role/app", "AROAONE:ann"),
    "a service without a name": Asked("service", "", ""),
    "somebody anonymous with a name": Asked("anonymous", "a", ""),
    "of no kind": Asked("", f"{IAM}:user/ann", "AIDAONE"),
    "a root user who assumes a role": Asked("root", f"{IAM}:root", "", action="sts:assumerole"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_who_there_cannot_be(name: str) -> None:
    assert not all(map(IMPOSSIBLE[name].meets, subjects.rules(subjects.KINDS)))


def test_ids_that_are_known_are_not_asked_for() -> None:
    stranger = Asked("user", f"{IAM}:user/ann", ACCOUNT)
    assert all(map(stranger.meets, subjects.rules(("user",), known=True)))
    assert not all(map(stranger.meets, subjects.rules(("user",))))


def test_others_assume_roles() -> None:
    user = Asked("user", f"{IAM}:user/ann", "AIDAONE", action="sts:assumerole")
    root = Asked("root", f"{IAM}:root", action="sts:assumerolewithsaml")
    assert all(map(user.meets, subjects.rules(subjects.KINDS)))
    assert all(map(root.meets, subjects.rules(subjects.KINDS)))


def test_two_kinds_are_not_one_principal() -> None:
    kinds = [subjects.kind("role"), subjects.kind("user"), subjects.kind("root")]
    rules = subjects.rules(("role", "user", "root"))
    for i, one in enumerate(kinds):
        for other in kinds[:i]:
            assert no(every((one, other))) in rules
    assert no(subjects.kind("service")) in rules


def session(name: str, kind: str = "assumed-role") -> Principal:
    return Principal(kind, f"{STS}:assumed-role/app/{name}", ACCOUNT, role_arn=f"{IAM}:role/app", unique_id="AROAONE")


USER = Principal("user", f"{IAM}:user/staff/ann", ACCOUNT, unique_id="AIDAONE")
SOMEBODY = {
    "a user": (USER, None, True),
    "a user by its id": (USER, "AIDAONE", True),
    "a user by another's": (USER, "AIDATWO", False),
    "a user by its name": (USER, "AIDAONE:ann", False),
    "a session": (session("ann"), None, True),
    "a session by its id": (session("ann"), "AROAONE:ann", True),
    "a session by its role's": (session("ann"), "AROAONE", False),
    "a service-linked session": (session("ann", "service-linked-role"), "AROAONE:ann", True),
    "a session of one letter": (session("a"), None, False),
    "a service-linked session of one letter": (session("a", "service-linked-role"), None, False),
    "a session of 64 letters": (session("a" * 64), None, True),
    "a session of 65 letters": (session("a" * 65), None, False),
    "a session with a colon": (session("a:b"), None, False),
    "a user of one letter": (Principal("user", f"{IAM}:user/a", ACCOUNT, unique_id="AIDAONE"), None, True),
    "a user of 65 letters": (Principal("user", f"{IAM}:user/{'a' * 65}", ACCOUNT, unique_id="AIDAONE"), None, True),
    "a root user": (Principal("root", f"{IAM}:root", ACCOUNT), ACCOUNT, True),
    "a root user by another account": (Principal("root", f"{IAM}:root", ACCOUNT), OTHER, False),
    "a federated user": (Principal("federated-user", f"{STS}:federated-user/ann", ACCOUNT), f"{ACCOUNT}:ann", True),
    "a federated user by its account": (Principal("federated-user", f"{STS}:federated-user/ann", ACCOUNT), ACCOUNT, False),
    "a service": (Principal("service", "sns.amazonaws.com", ""), None, True),
    "a service with an id": (Principal("service", "sns.amazonaws.com", ""), "", False),
    "anonymous": (Principal("anonymous", "", ""), None, True),
    "anonymous with an id": (Principal("anonymous", "", ""), "", False),
}


@pytest.mark.parametrize("name", SOMEBODY)
def test_there_can_be_such_a_principal(name: str) -> None:
    principal, said, expected = SOMEBODY[name]
    assert subjects.is_somebody(principal, said) is expected
