"""A data node federates: it reads providers, fetches their keys, and goes on when the database and the provider are gone."""

from pathlib import Path
from typing import Any

import grpc
import psycopg

from sekisho import sigv4
from tests import planes, postgres, providers
from tests.harness import BY_NAME
from tests.providers import Provider
from tests.served import Answer, Served
from tests.services.iam.documents import allow
from tests.services.sts.test_web_identities import federated


def assume(data: Served, role: str, token: str) -> Answer:
    """The answer to a call that nobody signs."""
    operation = BY_NAME["AssumeRoleWithWebIdentity"]
    request = operation.request(role_arn=role, role_session_name="s1", web_identity_token=token)
    return data.send(operation.path, request.SerializeToString())


def session(answer: Answer) -> sigv4.Credentials:
    assert answer.status is grpc.StatusCode.OK, answer.message
    made: Any = BY_NAME["AssumeRoleWithWebIdentity"].response.FromString(answer.body)
    return sigv4.Credentials(made.credentials.access_key_id, made.credentials.secret_access_key, made.credentials.session_token)


def register(control: Served, provider: Provider) -> str:
    """The ARN of a role that trusts alice of a provider."""
    made = control.call(
        "CreateOpenIDConnectProvider",
        url=f"https://{provider.issuer}",
        client_id_list=["sts.amazonaws.com"],
        thumbprint_list=[provider.thumbprint],
    )
    trust = federated(made.open_id_connect_provider_arn, when={"StringEquals": {f"{provider.issuer}:sub": "alice"}})
    role: str = control.call("CreateRole", role_name="deployer", assume_role_policy_document=trust).role.arn
    control.call("PutRolePolicy", role_name="deployer", policy_name="p", policy_document=allow("authorize:Authorize"))
    return role


def test_a_data_node_federates_with_and_without_its_database(postgres_server: postgres.Server, tmp_path: Path) -> None:
    with providers.provider() as provider, postgres_server.migrated() as url:
        database = url.rpartition("/")[2]
        with planes.control_node(url, tmp_path / "control") as control:
            role = register(control, provider)
            reader, _ = planes.grant(postgres_server, database)
            read = planes.url_as(postgres_server, database, reader)
            allowed = (provider.allowance,)
            with planes.data_node(control, read, tmp_path / "data", oidc_allow_private=allowed) as data:
                who = session(assume(data, role, provider.token()))
                assert data.call("GetCallerIdentity", _as=who).arn.endswith(":assumed-role/deployer/s1")
                assert assume(data, role, provider.token(sub="bob")).reason == "ACCESS_DENIED"
                with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                    connection.execute(f"ALTER ROLE {reader} NOLOGIN".encode())
                    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (reader,))
                before = list(provider.asked)
                provider.respond = lambda _: (503, {}, b"")
                who = session(assume(data, role, provider.token()))
                assert data.call("GetCallerIdentity", _as=who).arn.endswith(":assumed-role/deployer/s1")
                assert assume(data, role, provider.token(sub="bob")).reason == "ACCESS_DENIED"
                assert provider.asked == before
