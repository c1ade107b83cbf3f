"""What is prepared before the workers start: schema, key ring and first account; every start may do it, and leaves alone what is there."""

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import FailedPrecondition
from sekisho.node import data_dir, reading
from sekisho.node.databases import opened
from sekisho.node.options import Options, check
from sekisho.node.roles import ROLES
from sekisho.services.iam import managed_policies
from sekisho.store import db, schema


class KeyRingMissing(FailedPrecondition):
    """A new key ring would leave everything that the database has sealed closed for ever."""


def prepare(options: Options) -> None:
    """Check the options, then make what is missing; a node that does not write makes nothing, and refuses to start without it."""
    check(options)
    data_dir.make(options.data_dir)
    if ROLES[options.role].writes:
        with opened(options.url) as database:
            _first_start(database, options)
    else:
        reading.prepare(options)


def _first_start(database: db.Database, options: Options) -> None:
    refuse_closed_ring(options)  # before anything is written
    db.refuse_unsafe(database)
    if database.sqlite or schema.current(database) is None:
        schema.upgrade(database)
    schema.refuse_mismatch(database)
    ring = key_ring(database, options)
    accounts.bootstrap(
        database,
        ring,
        options.data_dir / "credentials",
        account_id=options.account_id,
        access_key_id=options.root_access_key_id,
        secret_access_key=options.root_secret_access_key,
    )
    accounts.refuse_other_ring(database, ring)
    managed_policies.load(database)


def refuse_closed_ring(options: Options) -> None:
    """Raise KeyRingUnusable for a ring that is there and that the master key does not open."""
    if (path := options.data_dir / "keyring.json").exists():
        KeyRing.open(path, options.master_key)


def key_ring(database: db.Database, options: Options) -> KeyRing:
    """The key ring in the data directory; a new one only for a database that holds nothing yet that another ring has sealed."""
    path = options.data_dir / "keyring.json"
    if path.exists():
        ring = KeyRing.open(path, options.master_key)
        ring.complete()
        return ring
    if accounts.exist(database):
        raise KeyRingMissing(f"the database has accounts, whose secrets were sealed with a key ring that is not at {path}; put it there")
    return KeyRing.create(path, options.master_key)
