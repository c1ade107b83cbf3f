"""A data node federates: it reads providers, fetches their keys, and goes on when the database and the provider are gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import sekisho.arn
from sekisho.calls.call import NoWritePath
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.errors import SekishoError
from sekisho.node import assembly
from sekisho.node.roles import ROLES
from sekisho.store import db, grants
from sekisho.world import SamlProviderRecord
from tests import harness, identity_provider, planes, postgres, providers
from tests.harness import House
from tests.providers import Provider
from tests.services.sts import test_saml_sessions as saml_sessions
from tests.services.sts.web_identities import assume, federated, keys_of, register, role


@contextmanager
def data_node(control: House, url: str, folder: Path, provider: Provider) -> Iterator[House]:
    """A data node in this process, with a role of the database that only reads, and the keys that such a node may have."""
    purposes = ROLES["data"].purposes
    assert purposes is not None
    control.node.ring.export(folder / "ring-for-data.json", purposes)
    ring = KeyRing.open(folder / "ring-for-data.json", purposes=purposes)
    key_sets = KeySets({provider.host: provider.place})
    with db.Database(url, make=False) as database:
        with database.read() as session:
            grants.refuse_excess(session)
        opened = assembly.opened(
            database, ring, folder / "data.db", audience="sekisho", writes=False, services=ROLES["data"].packages, key_sets=key_sets
        )
        with opened as node:
            yield House(node, accounts.NewAccount(control.account_id, control.root.access_key_id, control.root.secret_access_key or ""))


def test_a_data_node_has_no_private_key_of_a_saml_provider(postgres_server: postgres.Server, tmp_path: Path) -> None:
    """What is encrypted for such a key is for a node of the control plane; so is every response in the end, which is taken once."""
    ours = identity_provider.pair("ours")
    with providers.provider() as oidc, postgres_server.migrated() as url, harness.house(url, tmp_path) as control:
        given = {"add_private_key": ours.private_pem, "assertion_encryption_mode": "Allowed"}
        saml = saml_sessions.provider(control, **given)
        arn = saml_sessions.role(control)
        reader, _ = planes.grant(postgres_server, url.rpartition("/")[2])
        with data_node(control, planes.url_as(postgres_server, url.rpartition("/")[2], reader), tmp_path, oidc) as data:
            attributes = {identity_provider.ROLE: [f"{arn},{saml}"], identity_provider.SESSION_NAME: ["ana"]}
            what = saml_sessions.IDP.says(datetime.now(UTC).replace(microsecond=0), attributes=attributes)
            public = ours.key.public_key()
            assert isinstance(public, rsa.RSAPublicKey)
            response = saml_sessions.IDP.encrypted(what, public)
            for text in (response, saml_sessions.asserted(arn, saml)):
                with pytest.raises(NoWritePath, match="send the call to one of the control plane"):
                    saml_sessions.assume(data, arn, saml, text)
            id_ = data.node.world.get_id(sekisho.arn.entity(saml) or pytest.fail("no ARN"))
            record = data.node.world.get_record(id_ or "")
            assert isinstance(record, SamlProviderRecord)
            assert record.private_keys == ()
            saml_sessions.assume(control, arn, saml, response)


def denied(data: House, role_arn: str, token: str) -> bool:
    """Whether a token is refused for whose it is."""
    with pytest.raises(SekishoError) as caught:
        assume(data, role_arn, token)
    return caught.value.code == "AccessDenied"


def test_a_data_node_federates_with_and_without_its_database(postgres_server: postgres.Server, tmp_path: Path) -> None:
    with (
        providers.provider() as provider,
        postgres_server.migrated() as url,
        harness.house(url, tmp_path) as control,
    ):
        when = {"StringEquals": {f"{provider.issuer}:sub": "alice"}}
        named = role(control, federated(register(control, provider), when=when))
        database = url.rpartition("/")[2]
        reader, _ = planes.grant(postgres_server, database)
        with data_node(control, planes.url_as(postgres_server, database, reader), tmp_path, provider) as data:
            who = keys_of(assume(data, named, provider.token()))
            assert data.call("GetCallerIdentity", _as=who).arn.endswith(":assumed-role/deployer/s1")
            assert denied(data, named, provider.token(sub="bob"))
            asked = list(provider.asked)
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(f"ALTER ROLE {reader} NOLOGIN".encode())
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (reader,))
            provider.respond = lambda _: (503, {}, b"")
            who = keys_of(assume(data, named, provider.token()))
            assert data.call("GetCallerIdentity", _as=who).arn.endswith(":assumed-role/deployer/s1")
            assert denied(data, named, provider.token(sub="bob"))
            assert provider.asked == asked
