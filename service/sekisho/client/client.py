"""The client: every rpc, typed, and the three questions in Python's own terms."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.api.authorize.v1 import plans_pb2
from sekisho.api.authorize.v1.changes_pb2 import WatchChangesResponse
from sekisho.api.authorize.v1.client import AuthorizeClient
from sekisho.api.iam.v1.client import IamClient
from sekisho.api.sts.v1.client import StsClient
from sekisho.client import bearer, credentials, decisions
from sekisho.client.credentials import AUDIENCE
from sekisho.client.decisions import Decision, Explanation, Question
from sekisho.client.errors import Internal
from sekisho.client.following import following
from sekisho.client.plans import ActionsQuestion, Plan, PlanQuestion, PrincipalsQuestion, ResourcesQuestion, questions
from sekisho.client.retries import Retries
from sekisho.client.roles import Server
from sekisho.client.transport import TLS, CredentialsSource, Interceptors, Transport

if TYPE_CHECKING:
    from sekisho.api.analyzer.v1.client import AnalyzerClient
    from sekisho.api.catalog.v1.client import CatalogClient
    from sekisho.api.insight.v1.client import InsightClient
    from sekisho.api.mfa.v1.client import MfaClient
    from sekisho.api.organizations.v1.client import OrganizationsClient
    from sekisho.api.resource.v1.client import ResourceClient
    from sekisho.api.tagging.v1.client import TaggingClient

TIMEOUT = 10.0
AUTHORIZE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
P = ParamSpec("P")
R = TypeVar("R")


class Configured(ABC):
    """What a client is made from, beside its own arguments."""

    @abstractmethod
    def __init__(self, endpoint: str, credentials: CredentialsSource | None, **options: Any) -> None:
        """Each client has its own."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """A client for SEKISHO_ENDPOINT, with SEKISHO_AUDIENCE and SEKISHO_CA where they are set, and the environment's credentials.

        SEKISHO_CLIENT_CERT and SEKISHO_CLIENT_KEY are the client's own certificate, which may be instead of credentials.
        """
        server = credentials.server_from_env(env)
        options.setdefault("audience", server.audience)
        if server.tls is not None:
            options.setdefault("tls", server.tls)
        server = Server(server.endpoint, options["audience"], options.get("tls"))
        # A certificate is enough where nobody names credentials; those that are named and cannot be had are an error all the same.
        found = credentials.find(env, lambda: server)
        by_certificate = found is None and server.tls is not None and server.tls.certificate is not None
        signer = None if by_certificate else found.source if found is not None else credentials.source_from_env(env)
        return cls(server.endpoint, signer, **options)

    @classmethod
    def from_profile(cls, profile: str, file: Path | str | None = None, *, endpoint: str | None = None, **options: Any) -> Self:
        """A client with the credentials of a profile of AWS's files, or of `file` alone; without an endpoint, for SEKISHO_ENDPOINT.

        A profile with `role_arn` assumes the role at that endpoint, with the credentials of its `source_profile` or the token in its
        `web_identity_token_file`, and again before the session ends. The code of an `mfa_serial` is asked for at the terminal.
        """
        address = endpoint or credentials.server_from_env(os.environ).endpoint
        server = Server(address, options.get("audience", AUDIENCE), options.get("tls"))
        found = credentials.of_profile(profile, os.environ, Path(file) if file is not None else None, lambda: server)
        return cls(address, found.source, **options)


class Client(Configured):
    """A connection to Sekisho for one caller; threads may share it, and it is made once, not for each question.

    `endpoint` is HOST:PORT, or https://HOST:PORT for TLS; `audience` is the name that the server goes by; `timeout` is in seconds and
    holds for a call with all its repetitions. Without credentials, the certificate in `tls` says who calls. `client.iam` and
    `client.sts` have a method for each rpc.
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
        interceptors: Interceptors = (),
    ) -> None:
        self._transport = Transport(
            endpoint,
            credentials,
            audience=audience,
            tls=tls,
            timeout=timeout,
            retries=Retries() if retries is None else retries,
            interceptors=interceptors,
        )
        self._authorize = AuthorizeClient(self._transport)
        self.iam = IamClient(self._transport)
        self.sts = StsClient(self._transport)

    @cached_property
    def organizations(self) -> "OrganizationsClient":
        """The rpcs of organizations; loaded when they are first asked for, since most programs have no use for them."""
        from sekisho.api.organizations.v1.client import OrganizationsClient

        return OrganizationsClient(self._transport)

    @cached_property
    def insight(self) -> "InsightClient":
        """The rpcs of paths to administrators, unused access and generated policies; loaded when they are first asked for."""
        from sekisho.api.insight.v1.client import InsightClient

        return InsightClient(self._transport)

    @cached_property
    def mfa(self) -> "MfaClient":
        """The rpcs of passkeys, hardware devices and those of root users; loaded when they are first asked for."""
        from sekisho.api.mfa.v1.client import MfaClient

        return MfaClient(self._transport)

    @cached_property
    def resource(self) -> "ResourceClient":
        """The rpcs of registered resources, their tags and policies; loaded when they are first asked for."""
        from sekisho.api.resource.v1.client import ResourceClient

        return ResourceClient(self._transport)

    @cached_property
    def catalog(self) -> "CatalogClient":
        """The rpcs of definitions of services; loaded when they are first asked for."""
        from sekisho.api.catalog.v1.client import CatalogClient

        return CatalogClient(self._transport)

    @cached_property
    def analyzer(self) -> "AnalyzerClient":
        """The rpcs of Access Analyzer; loaded when they are first asked for."""
        from sekisho.api.analyzer.v1.client import AnalyzerClient

        return AnalyzerClient(self._transport)

    @cached_property
    def tagging(self) -> "TaggingClient":
        """The rpcs of the tags of everything that the account has; loaded when they are first asked for."""
        from sekisho.api.tagging.v1.client import TaggingClient

        return TaggingClient(self._transport)

    @property
    def audience(self) -> str:
        """The name that the server goes by."""
        return self._transport.audience

    @property
    def timeout(self) -> float:
        """Seconds that a call has with all its repetitions, where it is not told otherwise."""
        return self._transport.timeout

    @property
    def last_revision(self) -> str:
        """The revision that this thread's last call returned, to be given as `at_least`; `""` before the first."""
        return self._transport.last_revision

    def authorize(self, *, timeout: float | None = None, **question: Unpack[Question]) -> Decision:
        """Whether a principal may do an action on a resource; raises Error when that could not be decided, which is not an allow."""
        request = decisions.request(**question)
        return decisions.decision(self._transport(AUTHORIZE, request, pb.AuthorizeResponse, timeout=timeout, repeatable=True))

    def authorize_batch(self, questions: Iterable[Question], *, timeout: float | None = None) -> tuple[Decision, ...]:
        """The answers of up to 1,000 questions, in their order, all from one revision; a question that fails is a deny with its error."""
        return self.decide([decisions.request(**question) for question in questions], timeout=timeout)

    def decide(self, requests: Sequence[pb.AuthorizeRequest], *, timeout: float | None = None) -> tuple[Decision, ...]:
        """`authorize_batch` for questions that are messages already."""
        answers = tuple(decisions.item(item) for item in self._authorize.authorize_batch(requests=requests, timeout=timeout).items)
        if len(answers) != len(requests):
            raise Internal(f"the server answered {len(answers)} of {len(requests)} questions")
        return answers

    def explain(self, *, timeout: float | None = None, **question: Unpack[Question]) -> Explanation:
        """The decision that `authorize` gives, and why it is so."""
        return decisions.explanation(self._authorize.explain(request=decisions.request(**question), timeout=timeout))

    def plan(self, *, timeout: float | None = None, **question: Unpack[PlanQuestion]) -> Plan:
        """On which of many resources a principal may do an action, as a condition on their ARNs and tags (`sekisho.client.plans`). Raises
        Error where no condition says that exactly. `last_revision` is what it was made of.
        """
        request = questions.plan_request(**question)
        return questions.plan(self._transport(questions.PLAN, request, plans_pb2.PlanResourcesResponse, timeout=timeout, repeatable=True))

    def allowed_actions(self, *, timeout: float | None = None, **question: Unpack[ActionsQuestion]) -> Iterator[str]:
        """The actions that a principal may do on a resource, as pages come; `timeout` is for each. Raises Error when one does not."""
        return self._listed(questions.ACTIONS, timeout, question)

    def allowed_resources(self, *, timeout: float | None = None, **question: Unpack[ResourcesQuestion]) -> Iterator[str]:
        """The registered resources of the caller's account on which a principal may do an action, in the same way."""
        return self._listed(questions.RESOURCES, timeout, question)

    def allowed_principals(self, *, timeout: float | None = None, **question: Unpack[PrincipalsQuestion]) -> Iterator[str]:
        """The users and roles of the caller's account that may do an action on a resource, in the same way: of those on which the caller is
        permitted authorize:AssertPrincipal.
        """
        return self._listed(questions.PRINCIPALS, timeout, question)

    def _listed(self, listing: questions.Listing, timeout: float | None, question: Mapping[str, Any]) -> Iterator[str]:
        request = questions.list_request(listing, **question)
        while True:
            page: Any = self._transport(listing.path, request, listing.response, timeout=timeout, repeatable=True)
            yield from getattr(page, listing.entries)
            if not page.next_token:
                return
            request.next_token = page.next_token

    def changes(self, cursor: str = "", *, heartbeat: int = 0, timeout: float | None = None) -> Iterator[WatchChangesResponse]:
        """The revisions after one, with the ids of the caller's account that changed, as they come, at least every `heartbeat` seconds
        (five without). It ends with a `reload` when there is no going on from `cursor`, and raises Error when it breaks off: go on then
        from the last `revision`.
        """
        return self._authorize.watch_changes(cursor=cursor, heartbeat_seconds=heartbeat, timeout=timeout)

    def token(self, *, audience: str | None = None, expires: int = bearer.MAX_EXPIRES) -> str:
        """A bearer token of the caller, for tools that cannot sign; `audience` is the service that takes it, without it this server."""
        made_for = self._transport.audience if audience is None else audience
        return bearer.token(self._transport.credentials(), made_for, datetime.now(UTC), expires=expires)

    def close(self) -> None:
        """End what is under way and disconnect."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def pages(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
    """Every page of a list: `for page in pages(client.iam.list_users, path_prefix="/support/"): page.users`."""
    while True:
        page: Any = call(*args, **kwargs)
        yield page
        further = following(page)
        if further is None:
            return
        kwargs.update(further)
