"""Names: the rules for those of trails, and how a trail is told from an ARN.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
"""

import ipaddress
import re
from typing import NamedTuple

from sekisho import arn
from sekisho.services.cloudtrail.errors import CloudTrailARNInvalid, InvalidTrailName

SHORTEST, LONGEST = 3, 128
"""Characters of a trail's name."""

_ARN = re.compile(r"arn:aws:cloudtrail:([a-z0-9-]+):([0-9]{12}):(trail|eventdatastore|channel|dashboard)/([A-Za-z0-9._-]+)")
_WRONG = re.compile(r"[^A-Za-z0-9._-]")
_ADJACENT = re.compile(r"[._-]{2}")

_SHORT = "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {} characters."
_LONG = "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {} characters."
_CHARACTERS = (
    "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_)."
)


class Named(NamedTuple):
    """The resource of an ARN of CloudTrail; a name alone is of the caller's account."""

    account_id: str
    kind: str
    name: str
    region: str = arn.REGION

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:{arn.PARTITION}:cloudtrail:{self.region}:{self.account_id}:{self.kind}/{self.name}"


def get_named(text: str) -> Named | None:
    """The resource of an ARN; None for what is not an ARN of CloudTrail's."""
    found = _ARN.fullmatch(text)
    return Named(found[2], found[3], found[4], found[1]) if found is not None else None


def trail(account_id: str, text: str) -> Named:
    """The trail that is named, by a name of the account's own or by an ARN; CloudTrailARNInvalid or InvalidTrailName for anything else."""
    if text.startswith("arn:"):
        named = get_named(text)
        if named is None or named.kind != "trail":
            raise CloudTrailARNInvalid(f"{text[:256]} is not a valid trail ARN.")
        return named
    refuse_wrong(text)
    return Named(account_id, "trail", text)


def refuse_wrong(name: str) -> None:
    """InvalidTrailName unless a trail can have the name."""
    for is_wrong, sentence in (
        (not name, "Trail name cannot be blank!"),
        (len(name) < SHORTEST, _SHORT.format(len(name))),
        (len(name) > LONGEST, _LONG.format(len(name))),
        (_WRONG.search(name) is not None, _CHARACTERS),
        (not name[:1].isalnum(), "Trail name must starts with a letter or number."),
        (not name[-1:].isalnum(), "Trail name must ends with a letter or number."),
        (_ADJACENT.search(name) is not None, "Trail name cannot have adjacent periods, hyphens or underscores."),
        (_is_address(name), "Trail name cannot be in IP address format."),
    ):
        if is_wrong:
            raise InvalidTrailName(sentence)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
