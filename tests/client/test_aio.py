"""The client for asyncio against a fake server: what `Client` does, awaited; and the generated clients have the same methods."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.api.iam.v1 import aio as iam_aio
from sekisho.api.iam.v1 import client as iam_client
from sekisho.api.iam.v1 import users_pb2
from sekisho.api.organizations.v1 import units_pb2
from sekisho.api.sts.v1 import aio as sts_aio
from sekisho.api.sts.v1 import client as sts_client
from sekisho.api.sts.v1 import identities_pb2
from sekisho.client import Client, Credentials, Outcome, Question, Retries, errors
from sekisho.client.aio import AsyncClient, pages
from tests.client import fake as fakes
from tests.client.fake import Fake

R = TypeVar("R")
CREDENTIALS = Credentials("AKIAALICE", "secret")
ALLOWED = pb.AuthorizeResponse(outcome=pb.OUTCOME_ALLOWED, decision_id="d-1").SerializeToString()
QUESTION: Question = {"action": "orders:GetOrder", "resource": "*"}


def run(fake: Fake, work: Callable[[AsyncClient], Awaitable[R]], credentials: Any = CREDENTIALS) -> R:
    """What a coroutine does with a client that does not wait between its tries."""

    async def connected() -> R:
        async with AsyncClient(fake.endpoint, credentials, retries=Retries(attempts=4, first=0.0), timeout=20.0) as client:
            return await work(client)

    return asyncio.run(connected())


def test_a_decision(fake: Fake) -> None:
    fake.replies = [ALLOWED]
    decision = run(fake, lambda client: client.authorize(**QUESTION))
    assert (decision.outcome, decision.decision_id, bool(decision)) == (Outcome.ALLOWED, "d-1", True)
    (arrived,) = fake.arrived
    assert arrived.path == "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
    assert arrived.metadata["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAALICE/")
    assert 0 < arrived.seconds <= 21


def test_organizations_are_reached_too(fake: Fake) -> None:
    fake.replies = [units_pb2.ListRootsResponse(roots=[units_pb2.Root(id="r-abcd")]).SerializeToString()]
    assert [root.id for root in run(fake, lambda client: client.organizations.list_roots()).roots] == ["r-abcd"]
    assert [arrived.path for arrived in fake.arrived] == ["/sekisho.api.organizations.v1.OrganizationsService/ListRoots"]


def test_many_questions_at_once(fake: Fake) -> None:
    item = pb.BatchItem(decision=pb.AuthorizeResponse(outcome=pb.OUTCOME_IMPLICITLY_DENIED))
    fake.replies = [pb.AuthorizeBatchResponse(items=[item, pb.BatchItem(error=pb.BatchError(code="X"))]).SerializeToString()]
    found = run(fake, lambda client: client.authorize_batch([QUESTION, QUESTION]))
    assert [(one.allowed, one.error_code) for one in found] == [(False, ""), (False, "X")]
    with pytest.raises(errors.Internal, match="answered 2 of 1 questions"):
        run(fake, lambda client: client.authorize_batch([QUESTION]))


def test_an_explanation(fake: Fake) -> None:
    decision = pb.AuthorizeResponse(outcome=pb.OUTCOME_EXPLICITLY_DENIED)
    fake.replies = [pb.ExplainResponse(decision=decision, sentence="no", trace_json="{}").SerializeToString()]
    found = run(fake, lambda client: client.explain(**QUESTION))
    assert (found.sentence, found.trace, bool(found)) == ("no", {}, False)


def test_a_failure_is_an_error_and_repeated_where_that_can_help(fake: Fake) -> None:
    fake.replies = [fakes.said("UNAVAILABLE"), ALLOWED]
    assert run(fake, lambda client: client.authorize(**QUESTION))
    assert len(fake.arrived) == 2
    fake.replies = [fakes.said("NOT_FOUND", "There is no user.", aws="NoSuchEntity")]
    with pytest.raises(errors.NotFound) as raised:
        run(fake, lambda client: client.iam.get_user(user_name="bob"))
    assert (raised.value.code, raised.value.request_id, raised.value.answered) == ("NoSuchEntity", "r-1", True)
    assert len(fake.arrived) == 3


def test_a_write_whose_fate_is_unknown_is_not_repeated(fake: Fake) -> None:
    fake.replies = [fakes.plain("UNAVAILABLE")]
    with pytest.raises(errors.Unavailable):
        run(fake, lambda client: client.iam.create_user(user_name="bob"))
    assert len(fake.arrived) == 1


def test_each_try_of_a_write_has_a_nonce_of_its_own(fake: Fake) -> None:
    fake.replies = [fakes.said("UNAVAILABLE"), b""]
    run(fake, lambda client: client.iam.create_user(user_name="alice"))
    run(fake, lambda client: client.iam.get_user(user_name="alice"))
    nonces = [arrived.metadata.get("x-sekisho-nonce", "") for arrived in fake.arrived]
    assert [len(nonce) for nonce in nonces] == [22, 22, 0]
    assert nonces[0] != nonces[1]


def test_a_server_of_before_nonces_is_sent_none(fake: Fake) -> None:
    fake.replies = [fakes.said("UNAUTHENTICATED", aws="IncompleteSignature"), b""]
    run(fake, lambda client: client.iam.create_user(user_name="alice"))
    assert ["x-sekisho-nonce" in arrived.metadata for arrived in fake.arrived] == [True, False]


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:1 does not answer"):
        run(Fake("127.0.0.1:1"), lambda client: client.authorize(**QUESTION, timeout=1.0))


def test_an_answer_that_is_none_is_an_error_and_not_an_allow(fake: Fake) -> None:
    fake.replies = [b"\xff"]
    with pytest.raises(errors.Internal, match=r"is not a sekisho\.api\.authorize\.v1\.AuthorizeResponse"):
        run(fake, lambda client: client.authorize(**QUESTION))


def test_the_last_revision_is_of_the_task_that_asked(fake: Fake) -> None:
    fake.replies, fake.trailing = [ALLOWED], (("sekisho-revision", "r-7"),)

    async def two(client: AsyncClient) -> list[str]:
        async def other() -> str:
            await client.authorize(**QUESTION)
            return client.last_revision

        return [client.last_revision, await asyncio.create_task(other()), client.last_revision]

    assert run(fake, two) == ["", "r-7", ""]


def test_a_source_of_credentials_is_asked_in_a_thread(fake: Fake) -> None:
    fake.replies = [ALLOWED]
    asked: list[bool] = []

    def source() -> Credentials:
        asked.append(threading.current_thread() is threading.main_thread())
        return CREDENTIALS

    assert run(fake, lambda client: client.authorize(**QUESTION), source)
    assert asked == [False]


def test_tasks_share_a_client(fake: Fake) -> None:
    fake.replies = [ALLOWED]

    async def many(client: AsyncClient) -> list[bool]:
        return [bool(one) for one in await asyncio.gather(*(client.authorize(**QUESTION) for _ in range(20)))]

    assert run(fake, many) == [True] * 20


def test_pages_go_on_to_the_end(fake: Fake) -> None:
    first = users_pb2.ListUsersResponse(users=[users_pb2.User(user_name="a")], is_truncated=True, marker="m")
    last = users_pb2.ListUsersResponse(users=[users_pb2.User(user_name="b")])
    fake.replies = [first.SerializeToString(), last.SerializeToString()]

    async def names(client: AsyncClient) -> list[str]:
        return [user.user_name async for page in pages(client.iam.list_users, max_items=1) for user in page.users]

    assert run(fake, names) == ["a", "b"]
    assert users_pb2.ListUsersRequest.FromString(fake.arrived[1].body).marker == "m"


def test_it_is_made_from_the_environment_and_from_a_profile(fake: Fake, tmp_path: Path) -> None:
    fake.replies = [identities_pb2.GetCallerIdentityResponse(account="111122223333").SerializeToString()]
    (tmp_path / "credentials").write_text("[root]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")
    env = {"SEKISHO_ENDPOINT": fake.endpoint, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "SEKISHO_AUDIENCE": "here"}

    async def both() -> list[str]:
        made = [AsyncClient.from_env(env), AsyncClient.from_profile("root", tmp_path / "credentials", endpoint=fake.endpoint)]
        assert [client.audience for client in made] == ["here", "sekisho"]
        assert len(await made[0].token()) > 100
        accounts = [(await client.sts.get_caller_identity()).account for client in made]
        for client in made:
            await client.close()
        return accounts

    assert asyncio.run(both()) == ["111122223333"] * 2
    signers = [arrived.metadata["authorization"].partition("Credential=")[2].partition("/")[0] for arrived in fake.arrived]
    assert signers == ["AKIAENV", "AKIAFILE"]


@pytest.mark.parametrize(
    ("plain", "awaited"),
    [(iam_client.IamClient, iam_aio.AsyncIamClient), (sts_client.StsClient, sts_aio.AsyncStsClient), (Client, AsyncClient)],
)
def test_the_methods_are_the_same(plain: type, awaited: type) -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        named = inspect.getmembers(kind, inspect.isfunction)
        return {name: inspect.signature(function) for name, function in named if not name.startswith("_")}

    differing = {"decide", "changes"}  # messages that are made already, which the guard alone asks with; a stream, which awaits its like
    if plain is Client:
        names = ("allowed_actions", "allowed_resources", "allowed_principals")
        lists = {name: inspect.signature(getattr(awaited, name)) for name in names}
        assert {found.return_annotation for found in lists.values()} == {AsyncIterator[str]}
        for name, found in lists.items():
            assert found.parameters == inspect.signature(getattr(plain, name)).parameters
        differing |= lists.keys()
    others = {name: found for name, found in methods(awaited).items() if name not in differing}
    assert {name: found for name, found in methods(plain).items() if name not in differing} == others
    assert all(inspect.iscoroutinefunction(getattr(awaited, name)) for name in others)
