"""Messages as audit records show them: JSON with the member names of CloudTrail, secrets replaced at whatever depth they stand.

CloudTrail has AWS's member names with a small first letter. That is protobuf's own spelling in JSON, but for members with several
capitals at once. Times are in ISO 8601. Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import base64
import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

LIMIT = 102_400
"""Bytes of a request or response that a record shows; CloudTrail leaves out what is over 100 KB, too."""
REDACTED = "HIDDEN_DUE_TO_SECURITY_REASONS"

_SPELLINGS = {
    "aws_service_name": "aWSServiceName",
    "client_id": "clientID",
    "client_id_list": "clientIDList",
    "issuer_url": "issuerURL",
    "mfa_devices": "mFADevices",
    "open_id_connect_provider_arn": "openIDConnectProviderArn",
    "open_id_connect_provider_list": "openIDConnectProviderList",
    "qr_code_png": "qRCodePNG",
    "resource_arn_list": "resourceARNList",
    "saml_assertion": "sAMLAssertion",
    "saml_key_hashes": "sAMLKeyHashes",
    "saml_metadata_document": "sAMLMetadataDocument",
    "saml_provider_arn": "sAMLProviderArn",
    "saml_provider_list": "sAMLProviderList",
    "saml_provider_uuid": "sAMLProviderUUID",
    "ssh_public_key": "sSHPublicKey",
    "ssh_public_key_body": "sSHPublicKeyBody",
    "ssh_public_key_id": "sSHPublicKeyId",
    "ssh_public_keys": "sSHPublicKeys",
    "sns_topic_arn": "snsTopicARN",
    "trail_arn": "trailARN",
    "virtual_mfa_device": "virtualMFADevice",
    "virtual_mfa_device_name": "virtualMFADeviceName",
    "virtual_mfa_devices": "virtualMFADevices",
}
"""Fields whose member has several capitals at once; a test compares with botocore's models."""

_SPELLINGS_OF = {"sekisho.api.tagging.v1.ResourceTagMapping.resource_arn": "resourceARN"}
"""The same, where other services spell a field of that name otherwise."""

Shown = Callable[[Any], Any]
"""Makes of a field's value what JSON holds."""

_dumps = json.JSONEncoder(check_circular=False).encode


def text(message: Message | None) -> str:
    """A message as JSON; `{}` without one, or with an empty one."""
    if message is None:
        return "{}"
    size = message.ByteSize()
    if not size:
        return "{}"
    return _dumps(plain(message)) if size <= LIMIT else '{"omitted": "over 100 KB"}'


def plain(message: Message) -> dict[str, Any]:
    """A message as a dictionary of JSON values."""
    plan = _plan(message.DESCRIPTOR)
    shown = {}
    for field, value in message.ListFields():
        name, of = plan[field.number]
        shown[name] = of(value) if of is not None else value
    return shown


@cache
def _plan(message: Descriptor) -> dict[int, tuple[str, Shown | None]]:
    return {
        field.number: (_SPELLINGS_OF.get(field.full_name) or _SPELLINGS.get(field.name, field.json_name), _shown(field))
        for field in message.fields
    }


def _shown(field: FieldDescriptor) -> Shown | None:
    if field.GetOptions().debug_redact:
        return _hidden
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return partial(_of_map, _one(inner.fields_by_name["value"]))
    one = _one(field)
    return partial(_of_list, one) if field.is_repeated else one


def _one(field: FieldDescriptor) -> Shown | None:
    """Of one value; None where JSON holds the value as it is."""
    if field.message_type is not None:
        if field.message_type.file.package.startswith("sekisho"):
            return plain
        return Timestamp.ToJsonString if field.message_type.full_name == "google.protobuf.Timestamp" else MessageToDict
    if field.enum_type is not None:
        return partial(_enum, {value.number: value.name for value in field.enum_type.values})
    return _bytes if field.type == FieldDescriptor.TYPE_BYTES else None


def _of_list(one: Shown | None, values: Any) -> list[Any]:
    return [one(value) for value in values] if one is not None else list(values)


def _of_map(one: Shown | None, values: Any) -> dict[str, Any]:
    return {str(key): one(value) if one is not None else value for key, value in values.items()}


def _enum(names: dict[int, str], number: int) -> str | int:
    return names.get(number, number)


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _hidden(_value: Any) -> str:
    return REDACTED
