"""The client: a typed method for each rpc, where it connects, as whom, and the revision of its writes."""

import threading
from pathlib import Path
from typing import Any, assert_type

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from sekisho.api.authorize.v1 import service_pb2 as authorize_pb2
from sekisho.api.authorize.v1.client import AuthorizeClient
from sekisho.api.iam.v1 import service_pb2 as iam_pb2
from sekisho.api.iam.v1 import users_pb2
from sekisho.api.iam.v1.client import IamClient
from sekisho.api.organizations.v1 import service_pb2 as organizations_pb2
from sekisho.api.organizations.v1 import units_pb2
from sekisho.api.organizations.v1.client import OrganizationsClient
from sekisho.api.sts.v1 import service_pb2 as sts_pb2
from sekisho.api.sts.v1.client import StsClient
from sekisho.client import TLS, Client, NoCredentialsError, pages
from sekisho.naming import snake
from tests.client.conftest import CREDENTIALS
from tests.client.fake import Fake

SERVICES = {
    "iam": (IamClient, iam_pb2.DESCRIPTOR.services_by_name["IamService"]),
    "sts": (StsClient, sts_pb2.DESCRIPTOR.services_by_name["StsService"]),
    "organizations": (OrganizationsClient, organizations_pb2.DESCRIPTOR.services_by_name["OrganizationsService"]),
    "authorize": (AuthorizeClient, authorize_pb2.DESCRIPTOR.services_by_name["AuthorizeService"]),
}


@pytest.mark.parametrize("name", SERVICES)
def test_every_rpc_has_a_method_that_calls_it(name: str) -> None:
    kind, service = SERVICES[name]
    called: list[tuple[str, Any, Any]] = []

    class Call:
        def __call__(self, path: str, request: Any, response: Any, /, *, timeout: float | None, repeatable: bool) -> Any:
            called.append((path, type(request).DESCRIPTOR.full_name, response.DESCRIPTOR.full_name))

        def stream(self, path: str, request: Any, response: Any, /, *, timeout: float | None) -> Any:
            called.append((path, type(request).DESCRIPTOR.full_name, response.DESCRIPTOR.full_name))

    client: Any = kind(Call())
    for method in service.methods:
        getattr(client, snake(method.name))(**_required(service, method.name))
    assert called == [(f"/{service.full_name}/{m.name}", m.input_type.full_name, m.output_type.full_name) for m in service.methods]


def _required(service: ServiceDescriptor, method: str) -> dict[str, Any]:
    """The arguments without which a method cannot be called, each empty: what the call does is all in its path and types."""
    parameters = getattr(SERVICES[service.full_name.split(".")[2]][0], snake(method)).__kwdefaults__ or {}
    fields = service.methods_by_name[method].input_type.fields
    return {
        field.name: [] if field.is_repeated else b"" if field.type == field.TYPE_BYTES else None
        for field in fields
        if field.name not in parameters
    }


def test_organizations_are_reached_too(client: Client, fake: Fake) -> None:
    fake.replies = [units_pb2.ListRootsResponse(roots=[units_pb2.Root(id="r-abcd")]).SerializeToString()]
    assert [root.id for root in client.organizations.list_roots().roots] == ["r-abcd"]
    assert [arrived.path for arrived in fake.arrived] == ["/sekisho.api.organizations.v1.OrganizationsService/ListRoots"]


def test_arguments_become_fields(client: Client, fake: Fake) -> None:
    user = users_pb2.User(user_name="alice", arn="arn:aws:iam::111122223333:user/staff/alice")
    fake.replies = [users_pb2.CreateUserResponse(user=user).SerializeToString()]
    response = client.iam.create_user(user_name="alice", path="/staff/", tags=[{"key": "team", "value": "blue"}])
    assert_type(response, users_pb2.CreateUserResponse)
    assert response.user.arn == "arn:aws:iam::111122223333:user/staff/alice"
    sent = users_pb2.CreateUserRequest.FromString(fake.arrived[0].body)
    assert (sent.user_name, sent.path, sent.HasField("permissions_boundary")) == ("alice", "/staff/", False)
    assert [(tag.key, tag.value) for tag in sent.tags] == [("team", "blue")]


def test_checkers_and_python_refuse_what_the_rpc_has_not(client: Client) -> None:
    with pytest.raises(TypeError):
        client.iam.create_user(name="alice")  # type: ignore[call-arg]  # the mistake under test
    with pytest.raises(TypeError):
        client.iam.create_user()  # type: ignore[call-arg]  # the mistake under test
    with pytest.raises(TypeError):
        client.iam.create_user(user_name=7)  # type: ignore[arg-type]  # the mistake under test


def test_pages_follow_the_marker(client: Client, fake: Fake) -> None:
    first = users_pb2.ListUsersResponse(users=[users_pb2.User(user_name="a")], is_truncated=True, marker="next")
    second = users_pb2.ListUsersResponse(users=[users_pb2.User(user_name="b")])
    fake.replies = [first.SerializeToString(), second.SerializeToString()]
    found = [user.user_name for page in pages(client.iam.list_users, path_prefix="/staff/") for user in page.users]
    assert found == ["a", "b"]
    sent = [users_pb2.ListUsersRequest.FromString(arrived.body) for arrived in fake.arrived]
    assert [(request.path_prefix, request.marker) for request in sent] == [("/staff/", ""), ("/staff/", "next")]


def test_the_revision_of_a_write_is_its_threads_own(client: Client, fake: Fake) -> None:
    fake.replies = [b""]
    fake.trailing = (("sekisho-revision", "r7"),)
    assert client.last_revision == ""
    client.iam.delete_user(user_name="alice")
    assert client.last_revision == "r7"
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(client.last_revision))
    thread.start()
    thread.join()
    assert seen == [""]


def test_interceptors_see_every_call(fake: Fake) -> None:
    seen: list[str] = []

    class Watch(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # grpcio's class takes no argument at run time
        def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
            seen.append(client_call_details.method)
            return continuation(client_call_details, request)

    fake.replies = [b""]
    with Client(fake.endpoint, CREDENTIALS, interceptors=[Watch()]) as client:
        client.sts.get_caller_identity()
    assert seen == ["/sekisho.api.sts.v1.StsService/GetCallerIdentity"]


def test_from_env(fake: Fake) -> None:
    fake.replies = [b""]
    env = {"SEKISHO_ENDPOINT": fake.endpoint, "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "SEKISHO_AUDIENCE": "a.example"}
    with Client.from_env(env) as client:
        client.sts.get_caller_identity()
    assert fake.arrived[0].metadata["x-sekisho-audience"] == "a.example"
    assert "Credential=AKIAENV/" in fake.arrived[0].metadata["authorization"]


def test_from_profile(fake: Fake, tmp_path: Path) -> None:
    fake.replies = [b""]
    file = tmp_path / "credentials"
    file.write_text("[alice]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")
    with Client.from_profile("alice", file, endpoint=f"http://{fake.endpoint}/") as client:
        client.sts.get_caller_identity()
    assert "Credential=AKIAFILE/" in fake.arrived[0].metadata["authorization"]


def test_an_environment_without_endpoint_or_credentials_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SEKISHO_ENDPOINT"):
        Client.from_env({})
    with pytest.raises(NoCredentialsError, match="nowhere"):
        Client.from_env({"SEKISHO_ENDPOINT": "127.0.0.1:1", "SEKISHO_CREDENTIALS": str(tmp_path / "nowhere")})


@pytest.mark.parametrize("endpoint", ["", "ftp://127.0.0.1:1", "https://", "http:///"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Client(endpoint, CREDENTIALS)


def test_tls_is_not_dropped_silently() -> None:
    with pytest.raises(ValueError, match="is without TLS"):
        Client("http://127.0.0.1:1", CREDENTIALS, tls=TLS())
