"""Trust policies as they are stored: users and roles by their unique ids.

An ARN names whoever bears the name now; the id in its place stays with the one who bore it when the policy was written. Who is deleted
and created again is not trusted again. Everything else in a text keeps its spelling.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import json
import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.credentials import key_ids
from sekisho.errors import MalformedPolicyDocument
from sekisho.memory import loaders
from sekisho.policy import positions, validate
from sekisho.services.iam import entities, quotas
from sekisho.store.tables import Account, Entity

_PRINCIPALS = ("Statement", "Principal", "AWS")
_TRUSTED = ("user", "role")
_ID = re.compile(r"A(?:ID|RO)A[A-Z2-7]{17}")


def stored(session: Session, text: str) -> str:
    """The text with ids for ARNs; MalformedPolicyDocument when it is no trust policy or names somebody who does not exist."""
    try:
        validate.check(text, validate.Kind.TRUST)
    except MalformedPolicyDocument:
        _refuse_no_json(text)
        raise
    quotas.check("AssumeRolePolicySizeQuota", validate.size(text))
    return _replaced(text, lambda principal: _identified(session, principal))


def _refuse_no_json(text: str) -> None:
    """MalformedPolicyDocument in the sentence that AWS has for trust policies alone, when the text is no JSON at all."""
    try:
        json.loads(text)
    except ValueError:
        raise MalformedPolicyDocument("This policy contains invalid Json") from None


def shown(session: Session, text: str) -> str:
    """The text with the present ARNs for ids; an id whose user or role is gone stays."""
    if _ID.search(text) is None:
        return text
    return _replaced(text, lambda principal: _named(session, principal))


def _identified(session: Session, principal: str) -> str:
    if principal == "*":
        return principal
    if arn.is_account_id(principal):
        exists = session.get(Account, principal) is not None
    elif principal.startswith("arn:"):
        parsed = arn.parse(principal)
        if parsed.service != "iam":  # role sessions and federated users come and go, and are named as they are
            return principal
        named = arn.entity(principal)
        id_ = loaders.load_id(session, named) if named is not None else None
        if named is not None and named.kind != "root" and id_ is not None:
            return id_
        exists = id_ is not None
    else:
        exists = key_ids.kind_of(principal) in _TRUSTED and session.get(Entity, principal) is not None
    if not exists:
        raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{principal}"')
    return principal


def _named(session: Session, principal: str) -> str:
    row = session.get(Entity, principal) if _ID.fullmatch(principal) else None
    return entities.arn_of(row) if row is not None else principal


def _replaced(text: str, replacement: Callable[[str], str]) -> str:
    """The text with other strings for those that Principal names under `AWS`; a trust policy has no NotPrincipal."""
    parts, end = [], 0
    for path, offset in sorted(positions.locate(text).values.items(), key=lambda item: item[1]):
        if text[offset] != '"' or tuple(step for step in path if isinstance(step, str)) != _PRINCIPALS:
            continue
        principal, stop = json.JSONDecoder().raw_decode(text, offset)
        other = replacement(principal)
        if other != principal:
            parts += [text[end:offset], json.dumps(other)]
            end = stop
    return "".join((*parts, text[end:]))
