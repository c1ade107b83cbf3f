"""What a policy of each type may say, and how many there may be: of control policies, the language; of the others, their elements.

The others are inherited: what stands in them is either a value or operators (`inheritance`). Of these only the frame is held here, the
elements that each type has at its top; what a service would make of the values within is the service's.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_inheritance_mgmt.html and, for the quotas,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import strict_json, validate
from sekisho.services.organizations import quotas
from sekisho.world import RCP, SCP, inheritance


@dataclass(frozen=True, slots=True)
class Type:
    """A type of policy: characters of a document, policies in an organization, policies on one target; the elements at the top."""

    size: int
    most: int
    attached: int
    elements: tuple[str, ...] = ()


TYPES: Mapping[str, Type] = {
    SCP: Type(5_120, 2_000, 5),
    RCP: Type(5_120, 1_000, 5),
    "TAG_POLICY": Type(10_000, 1_000, 10, ("tags",)),
    "BACKUP_POLICY": Type(10_000, 1_000, 10, ("plans",)),
    "AISERVICES_OPT_OUT_POLICY": Type(2_500, 1_000, 5, ("services",)),
    "DECLARATIVE_POLICY_EC2": Type(10_000, 1_000, 10, ("ec2_attributes",)),
}
"""The types that an organization here can have; those of AWS's that are not here are of services that are not here either."""

_UNFIT = "The provided policy document does not meet the requirements of the specified policy type."


def check(type_: str, text: str) -> None:
    """Raise MalformedPolicyDocument or ConstraintViolation unless a text can be a policy of a type that can be."""
    quotas.refuse(
        "POLICY_CONTENT_LIMIT_EXCEEDED",
        reached=len(text) > TYPES[type_].size,
        message="You have exceeded the maximum size of a policy document.",
    )
    if type_ in (SCP, RCP):
        validate.check(text, validate.Kind.SCP if type_ == SCP else validate.Kind.RCP)
    else:
        parsed(type_, text)


def parsed(type_: str, text: str) -> dict[str, Any]:
    """The document of an inherited policy, or MalformedPolicyDocument."""
    document = _read(text)
    if not isinstance(document, dict) or not document or set(document) - set(TYPES[type_].elements):
        raise MalformedPolicyDocument(_UNFIT)
    if any(not isinstance(value, dict) for value in document.values()) or inheritance.faults(document):
        raise MalformedPolicyDocument(_UNFIT)
    if type_ == "TAG_POLICY" and not all(map(_is_tag, document["tags"].items())):
        raise MalformedPolicyDocument(_UNFIT)
    return document


_OF_TAG = {"tag_key", "tag_value", "enforced_for", "report_required_tag_for"}


def _is_tag(item: tuple[str, Any]) -> bool:
    """True of a tag's entry: it says how its key is spelled, which values it has, what it is enforced for."""
    name, entry = item
    return name.startswith(inheritance.OPERATOR) or (isinstance(entry, dict) and not set(entry) - _OF_TAG - inheritance.OPERATORS)


def _read(text: str) -> Any:
    try:
        return _plain(strict_json.decode(text))
    except strict_json.JsonError:
        raise MalformedPolicyDocument("The provided policy document is not valid JSON.") from None


def _plain(value: Any) -> Any:
    """The value with its numbers as numbers."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, strict_json.Number):
        return value
    number: int | float = json.loads(value)
    if math.isinf(number):  # which JSON cannot say
        raise strict_json.JsonError(f"the number {value} is too large")
    return number
