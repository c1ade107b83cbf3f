"""Loads the issuers of accounts' tokens for other services, with their pairs of keys. The private ones stay sealed in memory, too."""

from base64 import b64encode

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.store.tables import Issuer, IssuerKey, IssuerPrivateKey
from sekisho.world import IssuerRecord, Record, SigningKey

PREFIX = "iss"
"""What stands before the dash of the id of an issuer."""


def load_issuer(session: Session, id_: str, *, private: bool) -> Record | None:
    """An issuer, with the pairs that it has, the oldest first; their private keys only for a node that may read these."""
    row = session.execute(select(Issuer.account_id, Issuer.url, Issuer.disabled_at).where(Issuer.id == id_)).one_or_none()
    if row is None:
        return None
    mine = IssuerKey.issuer_id == id_
    found = session.execute(
        select(IssuerKey.id, IssuerKey.algorithm, IssuerKey.public_key, IssuerKey.begins_at)
        .where(mine)
        .order_by(IssuerKey.begins_at, IssuerKey.id)
    ).all()
    sealed = {}
    if private:
        query = select(IssuerPrivateKey.id, IssuerPrivateKey.private_key).join(IssuerKey, IssuerKey.id == IssuerPrivateKey.id).where(mine)
        sealed = {key.id: b64encode(key.private_key).decode() for key in session.execute(query)}
    keys = tuple(SigningKey(key.id, key.algorithm, key.public_key, sealed.get(key.id, ""), key.begins_at) for key in found)
    return IssuerRecord(id_, row.account_id, row.url, row.disabled_at, keys)
