"""Loads the records of identity providers.

Of a SAML provider the record has what its metadata says, not the document, which may have millions of characters.
"""

import re
from base64 import b64encode

from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.credentials import saml_metadata
from sekisho.credentials.saml_metadata import MalformedMetadata
from sekisho.store.tables import Entity, OpenIdConnectProvider, SamlPrivateKey, SamlProvider
from sekisho.world import OidcProviderRecord, Record, SamlProviderRecord

_ID = re.compile(r"[0-9A-F]{32}")
_ENTITIES, _OIDC, _SAML = (inspect(table).local_table for table in (Entity, OpenIdConnectProvider, SamlProvider))
_PROVIDER = (
    select(
        *(_ENTITIES.c[name] for name in ("account_id", "kind", "name")),
        _OIDC.c.client_ids,
        _OIDC.c.thumbprints,
        *(_SAML.c[name] for name in ("document", "issuer", "valid_until", "encryption_mode")),
    )
    .select_from(_ENTITIES.outerjoin(_OIDC, _OIDC.c.id == _ENTITIES.c.id).outerjoin(_SAML, _SAML.c.id == _ENTITIES.c.id))
    .where(_ENTITIES.c.id == bindparam("id"))
)
_KEYS = (
    select(SamlPrivateKey.id, SamlPrivateKey.private_key)
    .where(SamlPrivateKey.provider_id == bindparam("id"))
    .order_by(SamlPrivateKey.created_at, SamlPrivateKey.id)
)


def is_id(text: str) -> bool:
    """True of what an identity provider could have as its id: 32 hexadecimal digits. Nothing else that has a record has such an id."""
    return _ID.fullmatch(text) is not None


def load_provider(session: Session, id_: str, *, private: bool) -> Record | None:
    """An identity provider of either kind; its private keys only for a node that may read these.

    One whose metadata cannot be read any more has no certificate, so that it vouches for nobody.
    """
    row = session.execute(_PROVIDER, {"id": id_}).one_or_none()
    if row is None:
        return None
    named = arn.iam(row.account_id, row.kind, row.name)
    if row.client_ids is not None:
        return OidcProviderRecord(id_, row.account_id, named, row.name, tuple(row.client_ids), tuple(row.thumbprints))
    if row.document is None:
        return None
    keys = session.execute(_KEYS, {"id": id_}).all() if private else ()
    return SamlProviderRecord(
        id=id_,
        account_id=row.account_id,
        arn=named,
        issuer=row.issuer,
        certificates=_certificates(row.document),
        valid_until=row.valid_until,
        encryption_mode=row.encryption_mode or "",
        private_keys=tuple((key.id, b64encode(key.private_key).decode()) for key in keys),
    )


def _certificates(document: str) -> tuple[str, ...]:
    try:
        return tuple(b64encode(one).decode() for one in saml_metadata.read(document).certificates)
    except MalformedMetadata:
        return ()
