"""The client for asyncio: what `Client` does, awaited.

from sekisho.client.aio import AsyncClient

async with AsyncClient.from_env() as client:
    if await client.authorize(principal=alice, action="orders:GetOrder", resource=order_arn):
        ...
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.api.authorize.v1 import plans_pb2
from sekisho.api.authorize.v1.aio import AsyncAuthorizeClient
from sekisho.api.iam.v1.aio import AsyncIamClient
from sekisho.api.sts.v1.aio import AsyncStsClient
from sekisho.client import bearer, decisions
from sekisho.client.aio_transport import AsyncTransport
from sekisho.client.client import AUTHORIZE, TIMEOUT, Configured
from sekisho.client.credentials import AUDIENCE
from sekisho.client.decisions import Decision, Explanation, Question
from sekisho.client.errors import Internal
from sekisho.client.following import following
from sekisho.client.plans import ActionsQuestion, Plan, PlanQuestion, PrincipalsQuestion, ResourcesQuestion, questions
from sekisho.client.retries import Retries
from sekisho.client.transport import TLS, CredentialsSource

if TYPE_CHECKING:
    from sekisho.api.analyzer.v1.aio import AsyncAnalyzerClient
    from sekisho.api.catalog.v1.aio import AsyncCatalogClient
    from sekisho.api.insight.v1.aio import AsyncInsightClient
    from sekisho.api.mfa.v1.aio import AsyncMfaClient
    from sekisho.api.organizations.v1.aio import AsyncOrganizationsClient
    from sekisho.api.resource.v1.aio import AsyncResourceClient
    from sekisho.api.tagging.v1.aio import AsyncTaggingClient

P = ParamSpec("P")
R = TypeVar("R")


class AsyncClient(Configured):
    """A connection to Sekisho for one caller, of one event loop; tasks may share it, and it is made once, not for each question.

    The arguments are those of `Client`; `interceptors` are those of `grpc.aio`. It is made where the loop runs.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: CredentialsSource | None,
        *,
        audience: str = AUDIENCE,
        tls: TLS | None = None,
        timeout: float = TIMEOUT,
        retries: Retries | None = None,
        interceptors: Sequence[Any] = (),
    ) -> None:
        self._transport = AsyncTransport(
            endpoint,
            credentials,
            audience=audience,
            tls=tls,
            timeout=timeout,
            retries=Retries() if retries is None else retries,
            interceptors=interceptors,
        )
        self._authorize = AsyncAuthorizeClient(self._transport)
        self.iam = AsyncIamClient(self._transport)
        self.sts = AsyncStsClient(self._transport)

    @cached_property
    def organizations(self) -> "AsyncOrganizationsClient":
        """The rpcs of organizations; loaded when they are first asked for, since most programs have no use for them."""
        from sekisho.api.organizations.v1.aio import AsyncOrganizationsClient

        return AsyncOrganizationsClient(self._transport)

    @cached_property
    def insight(self) -> "AsyncInsightClient":
        """The rpcs of paths to administrators, unused access and generated policies; loaded when they are first asked for."""
        from sekisho.api.insight.v1.aio import AsyncInsightClient

        return AsyncInsightClient(self._transport)

    @cached_property
    def mfa(self) -> "AsyncMfaClient":
        """The rpcs of passkeys, hardware devices and those of root users; loaded when they are first asked for."""
        from sekisho.api.mfa.v1.aio import AsyncMfaClient

        return AsyncMfaClient(self._transport)

    @cached_property
    def resource(self) -> "AsyncResourceClient":
        """The rpcs of registered resources, their tags and policies; loaded when they are first asked for."""
        from sekisho.api.resource.v1.aio import AsyncResourceClient

        return AsyncResourceClient(self._transport)

    @cached_property
    def catalog(self) -> "AsyncCatalogClient":
        """The rpcs of definitions of services; loaded when they are first asked for."""
        from sekisho.api.catalog.v1.aio import AsyncCatalogClient

        return AsyncCatalogClient(self._transport)

    @cached_property
    def analyzer(self) -> "AsyncAnalyzerClient":
        """The rpcs of Access Analyzer; loaded when they are first asked for."""
        from sekisho.api.analyzer.v1.aio import AsyncAnalyzerClient

        return AsyncAnalyzerClient(self._transport)

    @cached_property
    def tagging(self) -> "AsyncTaggingClient":
        """The rpcs of the tags of everything that the account has; loaded when they are first asked for."""
        from sekisho.api.tagging.v1.aio import AsyncTaggingClient

        return AsyncTaggingClient(self._transport)

    @property
    def audience(self) -> str:
        """The name that the server goes by."""
        return self._transport.audience

    @property
    def last_revision(self) -> str:
        """The revision that this task's last call returned, to be given as `at_least`; `""` before the first."""
        return self._transport.last_revision

    async def authorize(self, *, timeout: float | None = None, **question: Unpack[Question]) -> Decision:  # noqa: ASYNC109  # seconds, as in Client
        """Whether a principal may do an action on a resource; raises Error when that could not be decided, which is not an allow."""
        request = decisions.request(**question)
        return decisions.decision(await self._transport(AUTHORIZE, request, pb.AuthorizeResponse, timeout=timeout, repeatable=True))

    async def authorize_batch(self, questions: Iterable[Question], *, timeout: float | None = None) -> tuple[Decision, ...]:  # noqa: ASYNC109  # as above
        """The answers of up to 1,000 questions, in their order, all from one revision; a question that fails is a deny with its error."""
        requests = [decisions.request(**question) for question in questions]
        answers = await self._authorize.authorize_batch(requests=requests, timeout=timeout)
        found = tuple(decisions.item(item) for item in answers.items)
        if len(found) != len(requests):
            raise Internal(f"the server answered {len(found)} of {len(requests)} questions")
        return found

    async def explain(self, *, timeout: float | None = None, **question: Unpack[Question]) -> Explanation:  # noqa: ASYNC109  # as above
        """The decision that `authorize` gives, and why it is so."""
        return decisions.explanation(await self._authorize.explain(request=decisions.request(**question), timeout=timeout))

    async def plan(self, *, timeout: float | None = None, **question: Unpack[PlanQuestion]) -> Plan:  # noqa: ASYNC109  # as above
        """On which of many resources a principal may do an action, as a condition on their ARNs and tags (`sekisho.client.plans`)."""
        request = questions.plan_request(**question)
        answer = await self._transport(questions.PLAN, request, plans_pb2.PlanResourcesResponse, timeout=timeout, repeatable=True)
        return questions.plan(answer)

    def allowed_actions(self, *, timeout: float | None = None, **question: Unpack[ActionsQuestion]) -> AsyncIterator[str]:
        """The actions that a principal may do on a resource, as pages come."""
        return self._listed(questions.ACTIONS, timeout, question)

    def allowed_resources(self, *, timeout: float | None = None, **question: Unpack[ResourcesQuestion]) -> AsyncIterator[str]:
        """The registered resources of the caller's account on which a principal may do an action."""
        return self._listed(questions.RESOURCES, timeout, question)

    def allowed_principals(self, *, timeout: float | None = None, **question: Unpack[PrincipalsQuestion]) -> AsyncIterator[str]:
        """The users and roles of the caller's account that may do an action on a resource."""
        return self._listed(questions.PRINCIPALS, timeout, question)

    async def _listed(self, listing: questions.Listing, timeout: float | None, question: Mapping[str, Any]) -> AsyncIterator[str]:  # noqa: ASYNC109  # as above
        request = questions.list_request(listing, **question)
        while True:
            page: Any = await self._transport(listing.path, request, listing.response, timeout=timeout, repeatable=True)
            for entry in getattr(page, listing.entries):
                yield entry
            if not page.next_token:
                return
            request.next_token = page.next_token

    async def token(self, *, audience: str | None = None, expires: int = bearer.MAX_EXPIRES) -> str:
        """A bearer token of the caller, for tools that cannot sign; `audience` is the service that takes it, without it this server."""
        made_for = self._transport.audience if audience is None else audience
        return bearer.token(await self._transport.credentials(), made_for, datetime.now(UTC), expires=expires)

    async def close(self) -> None:
        """End what is under way and disconnect."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


async def pages(call: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
    """Every page of a list: `async for page in pages(client.iam.list_users, path_prefix="/support/"): page.users`."""
    while True:
        page: Any = await call(*args, **kwargs)
        yield page
        further = following(page)
        if further is None:
            return
        kwargs.update(further)
