"""The local authorizer answers as the server does, while the account changes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sekisho.client import Client, Decision, Error
from sekisho.client.decisions import Question
from sekisho.client.local import LocalAuthorizer
from tests.client.local.account import Account
from tests.client.local.membership import Membership
from tests.inside import inside


def answer(ask: Callable[..., Decision], question: Question, *, revision: bool = True) -> Decision | str:
    """A decision without its id, and without its revision where that may differ, or the code and the words of the error."""
    try:
        found = replace(ask(**question), decision_id="")
        return found if revision else replace(found, revision="")
    except Error as error:
        return f"{error.code}: {error.message}"


def compared(account: Account, client: Client, authorizer: LocalAuthorizer, rounds: int, questions: int) -> tuple[int, int]:
    """Change and ask, round by round; how many questions were decided here, and how many by the server."""
    here = elsewhere = 0
    for _ in range(rounds):
        account.change()
        revision, newest = account.told, account.house.node.world.point.token
        for _ in range(questions):
            question = account.question()
            question["at_least"] = revision
            found, there = (answer(ask, question, revision=revision == newest) for ask in (authorizer.authorize, client.authorize))
            assert found == there, question
            decided = authorizer.authorize(**question).decision_id if isinstance(found, Decision) else ""
            here, elsewhere = here + decided.startswith("local-"), elsewhere + (not decided.startswith("local-"))
    return here, elsewhere


def test_it_answers_as_the_server_does_while_the_account_changes(tmp_path: Path) -> None:
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place:
        account = Account(place.house, seed=11)
        with place.client() as client, LocalAuthorizer(client, max_silence=600, patience=60) as authorizer:
            assert authorizer.wait_until_ready(60)
            here, elsewhere = compared(account, client, authorizer, rounds=60, questions=20)
    assert here > 600
    assert elsewhere > 100  # principals that there are not, by this path or spelling


def test_it_answers_as_the_server_does_while_an_organization_changes(tmp_path: Path) -> None:
    """Of a member: whoever changes what restricts it, and of the account that manages the organization, which nothing restricts."""
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place:
        member = Membership(place.house, seed=7)
        with place.client(member.keys) as client, LocalAuthorizer(client, max_silence=600, patience=60) as authorizer:
            assert authorizer.wait_until_ready(60)
            here, elsewhere = compared(member, client, authorizer, rounds=80, questions=20)
    assert here > 600  # fewer where a change is on its way: then the server is asked
    assert elsewhere > 100
