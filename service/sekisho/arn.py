"""Amazon Resource Names: `arn:partition:service:region:account:resource`.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re
from dataclasses import dataclass

from sekisho.errors import InvalidArn

PARTITION = "aws"
REGION = "us-east-1"
"""The region of what has one and says none: there are no regions here."""

MAX_LENGTH = 2048
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


@dataclass(frozen=True, slots=True)
class Arn:
    """The six segments of an ARN; `resource` is all that follows the fifth colon, colons included."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse(text: str) -> Arn:
    """Split an ARN into its segments, or raise InvalidArn."""
    segments = text.split(":", 5)
    if len(text) > MAX_LENGTH or len(segments) != 6 or segments[0] != "arn" or not (segments[1] and segments[2] and segments[5]):
        shown = text if len(text) <= 128 else text[:128] + "…"
        raise InvalidArn(f"ARN {shown} is not valid.")
    return Arn(*segments[1:])


@dataclass(frozen=True, slots=True)
class Entity:
    """The thing that an ARN of IAM or of an STS session names. `path` begins and ends with a slash.

    A role session has its role as the path: `assumed-role/NAME/SESSION` is the path `/NAME/` and the name `SESSION`.
    """

    account: str
    kind: str
    path: str
    name: str

    @property
    def key(self) -> str:
        """Under what it is the only one of its kind in its account: the name, whatever its case; of an MFA device with the path before it,
        since its name is unique with its path only.
        """
        return f"{self.path[1:]}{self.name}".lower() if self.kind == "mfa" else self.name.lower()

    @property
    def role(self) -> str:
        """The role's name, of a role session."""
        return self.path[1:-1]


_WITH_PATH = {
    "iam": frozenset(("user", "role", "group", "policy", "instance-profile", "mfa", "server-certificate")),
    "sts": frozenset(("assumed-role", "federated-user")),
}
# An OpenID Connect provider is named after its URL, slashes and all.
_PATHLESS = {"iam": frozenset(("oidc-provider", "saml-provider"))}


def entity(text: str) -> Entity | None:
    """The entity that an ARN names, None for what is not the ARN of one. The only reader of such ARNs.

    Of IAM: `root` (whose name is that, too), users, roles, groups, policies, instance profiles, MFA devices, identity providers and
    server certificates. Of STS: `assumed-role` and `federated-user`. The account is what stands there, digits or not.
    """
    segments = text.split(":", 5)
    if len(segments) != 6 or len(text) > MAX_LENGTH or "\0" in text:  # PostgreSQL has no such character
        return None
    scheme, partition, service, region, account, resource = segments
    if (scheme, partition, region) != ("arn", PARTITION, ""):
        return None
    if (service, resource) == ("iam", "root"):
        return Entity(account, "root", "/", "root")
    kind, _, rest = resource.partition("/")
    if kind in _PATHLESS.get(service, ()):
        return Entity(account, kind, "/", rest) if rest else None
    path, slash, name = rest.rpartition("/")
    return Entity(account, kind, f"/{path}{slash}", name) if name and kind in _WITH_PATH.get(service, ()) else None


def account_of(text: str) -> str:
    """The account segment of an ARN, `""` where the ARN has none or the text is no ARN."""
    segments = text.split(":", 5)
    return segments[4] if len(segments) == 6 else ""


def region_of(text: str) -> str:
    """The region segment of an ARN, `""` where the ARN has none or the text is no ARN."""
    segments = text.split(":", 5)
    return segments[3] if len(segments) == 6 else ""


def is_account_id(text: str) -> bool:
    """Whether the text is twelve digits."""
    return len(text) == 12 and text.isascii() and text.isdecimal()


def is_session_name(text: str) -> bool:
    """A role session can have the name."""
    return _SESSION_NAME.fullmatch(text) is not None


def iam(account: str, kind: str, name: str, path: str = "/") -> str:
    """The ARN of an IAM entity: `arn:aws:iam::111122223333:user/division/alice`; `path` begins and ends with a slash."""
    return f"arn:{PARTITION}:iam::{account}:{kind}{path}{name}"


def root(account: str) -> str:
    """The ARN of an account's root user, which in a Principal element stands for the account."""
    return f"arn:{PARTITION}:iam::{account}:root"


def assumed_role(account: str, role: str, session: str) -> str:
    """The ARN of a role session; it never has the role's path."""
    return f"arn:{PARTITION}:sts::{account}:assumed-role/{role}/{session}"


def federated_user(account: str, name: str) -> str:
    """The ARN of a session that GetFederationToken issued."""
    return f"arn:{PARTITION}:sts::{account}:federated-user/{name}"


def organizations(management_account: str, kind: str, *parts: str) -> str:
    """The ARN of a thing of an organization, which is its management account's: `arn:aws:organizations::1…:ou/o-…/ou-…`."""
    return f"arn:aws:organizations::{management_account}:{'/'.join((kind, *parts))}"


def cloudtrail(account: str, kind: str, name: str) -> str:
    """The ARN of a trail or an event data store: `arn:aws:cloudtrail:us-east-1:1…:trail/name`."""
    return f"arn:{PARTITION}:cloudtrail:{REGION}:{account}:{kind}/{name}"


def access_analyzer(account: str, name: str) -> str:
    """The ARN of an analyzer: `arn:aws:access-analyzer:us-east-1:1…:analyzer/name`."""
    return f"arn:{PARTITION}:access-analyzer:{REGION}:{account}:analyzer/{name}"
