"""A house for tests: one node in this process, with an account, called through the whole pipeline but for the network."""

import itertools
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sekisho import operations, sigv4
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.node import assembly, logs
from sekisho.operations import OPERATIONS, Operation
from sekisho.store import db, schema
from tests import clock, sqlite

logs.configure()
operations.load()
BY_NAME: dict[str, Operation] = {operation.name: operation for operation in reversed(OPERATIONS.values())} | {
    f"{package}:{name}": operation for (package, name), operation in OPERATIONS.items()
}
"""By name; where two services have it, IAM's, and that of the other by service and name: `organizations:CreatePolicy`."""
_numbers = itertools.count(1)


class House:
    """A node with one account; `root` are its root credentials. Every call is signed, verified, authorized, audited."""

    seconds = 20.0
    """How long a call may take."""

    def __init__(self, node: Node, account: accounts.NewAccount) -> None:
        self.node = node
        self.account_id = account.account_id
        self.root = sigv4.Credentials(account.access_key_id, account.secret_access_key)
        self.revision = ""

    def call(self, name: str, /, _as: sigv4.Credentials | None = None, _peer: Peer | None = None, **fields: Any) -> Any:
        """Call an operation by AWS's name with the fields of its request; the response message, or a SekishoError."""
        operation = BY_NAME[name]
        body = operation.request(**fields).SerializeToString()
        metadata = sigv4.sign_call(_as or self.root, operation.path, body, self.node.audience, clock.now(), nonce=secrets.token_urlsafe(16))
        arrival = pipeline.Arrival(
            read=lambda: pipeline.parsed(operation.request, body),
            proof=proofs.of_metadata(metadata, operation.path, body, self.node.audience),
            peer=_peer or Peer(source_ip="127.0.0.1", user_agent="tests"),
            request_id=f"test-{next(_numbers)}-{random.random()}",
            seconds=self.seconds,
        )
        reply = pipeline.run(self.node, operation, arrival)
        assert isinstance(reply.message, operation.response)
        self.revision = reply.revision
        return reply.message

    def account(self) -> sigv4.Credentials:
        """The root credentials of a further account."""
        made = accounts.create(self.node.database, self.node.ring)
        return sigv4.Credentials(made.access_key_id, made.secret_access_key)

    def user(self, name: str, *documents: str, **fields: Any) -> sigv4.Credentials:
        """A new user with an access key and these inline policies."""
        self.call("CreateUser", user_name=name, **fields)
        for number, document in enumerate(documents):
            self.call("PutUserPolicy", user_name=name, policy_name=f"inline-{number}", policy_document=document)
        key = self.call("CreateAccessKey", user_name=name).access_key
        return sigv4.Credentials(key.access_key_id, key.secret_access_key)

    def assume(self, role_arn: str, session: str = "session", _as: sigv4.Credentials | None = None, **fields: Any) -> sigv4.Credentials:
        """Temporary credentials of a role."""
        made = self.call("AssumeRole", _as=_as, role_arn=role_arn, role_session_name=session, **fields).credentials
        return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


@contextmanager
def house(url: str, folder: Path) -> Iterator[House]:
    """A house on an empty database, migrated or not; a file of SQLite that is not there yet is made."""
    if url.startswith("sqlite:///"):
        sqlite.migrated(Path(url.removeprefix("sqlite:///")))
    with db.Database(url) as database:
        schema.upgrade(database)
        ring = KeyRing.create(folder / "keyring.json")
        account = accounts.create(database, ring)
        with assembly.opened(database, ring, folder / "spool.db", audience="sekisho", issuer_url="https://auth.example.com") as made:
            yield House(made, account)
