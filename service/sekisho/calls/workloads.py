"""Programs that are known by their certificates: SPIFFE ids, and the principals that an operator says they are.

The map is a text, a line each: `spiffe://shop.example/ns/prod/sa/orders: arn:aws:iam::111122223333:role/shop/order-service`. A user is
that user, a role is a session of that role, named after the last part of the id; its trust policy is not asked, the operator's map stands
for it. `#` begins a comment. Source: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md and X509-SVID.md beside it
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from sekisho import arn
from sekisho.errors import InvalidArgument

_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+")
_SESSION_NAME = range(2, 65)  # characters
_MAX_LENGTH = 2048


class MalformedWorkloads(InvalidArgument):
    """A line of the map is not `SPIFFE id: ARN of a user or role`, or an id stands twice."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A program whose certificate the map knows: the principal's ARN, and the certificate's time."""

    spiffe_id: str
    arn: str
    not_before: datetime
    not_after: datetime

    @property
    def session_name(self) -> str:
        """The name of its session, where it is a role."""
        return self.spiffe_id.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Workloads:
    """Which principal each SPIFFE id is."""

    arns: Mapping[str, str] = field(default_factory=dict)

    def of(self, certificate: bytes) -> Workload | None:
        """The program that a verified certificate (PEM) names; None for one that the map does not know."""
        if not self.arns:
            return None
        read = _svid(certificate)
        if read is None or (principal := self.arns.get(read[0])) is None:
            return None
        return Workload(read[0], principal, read[1], read[2])


def parse(text: str) -> Workloads:
    """Read a map, or raise MalformedWorkloads with the line."""
    arns: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        spiffe_id, colon, principal = (part.strip() for part in line.partition(": "))
        if not colon or not _is_id(spiffe_id):
            raise MalformedWorkloads(f"line {number} of the SPIFFE map does not begin with a SPIFFE id with a path, a colon and a blank")
        if spiffe_id in arns:
            raise MalformedWorkloads(f"line {number} of the SPIFFE map names `{spiffe_id}` a second time")
        arns[spiffe_id] = _principal(principal, spiffe_id, number)
    return Workloads(arns)


def _is_id(text: str) -> bool:
    return len(text) <= _MAX_LENGTH and _ID.fullmatch(text) is not None and not {".", ".."} & set(text[9:].split("/"))


def _principal(text: str, spiffe_id: str, number: int) -> str:
    named = arn.entity(text)
    if named is None or named.kind not in ("role", "user") or not arn.is_account_id(named.account):
        raise MalformedWorkloads(f"line {number} of the SPIFFE map: `{text}` is not the ARN of a user or a role")
    if named.kind == "role" and len(spiffe_id.rpartition("/")[2]) not in _SESSION_NAME:
        raise MalformedWorkloads(
            f"line {number} of the SPIFFE map: the last part of the id names the role's session, with 2 to 64 characters"
        )
    return text


@lru_cache(maxsize=4096)
def _svid(certificate: bytes) -> tuple[str, datetime, datetime] | None:
    """The SPIFFE id and the time of an SVID: exactly one URI among its names, and no authority's certificate."""
    try:
        read = x509.load_pem_x509_certificate(certificate)
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        if len(uris) != 1 or not _is_id(uris[0]) or _signs(read):
            return None
        return uris[0], read.not_valid_before_utc, read.not_valid_after_utc
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None


def _signs(certificate: x509.Certificate) -> bool:
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            return True
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            return True
    return False
