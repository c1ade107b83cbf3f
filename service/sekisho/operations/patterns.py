"""The patterns of `(rules)`: what each accepts, and the expression that AWS names in its message. All are linear in the text."""

import re
import unicodedata
from collections.abc import Callable

from sekisho.operations.annotations import Rules


def _regex(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _same(pattern: str) -> tuple[Callable[[str], bool], str]:
    """A pattern that means the same in both dialects."""
    return _regex(pattern), pattern


def _tag(text: str) -> bool:
    return all(c in "_.:/=+-@" or unicodedata.category(c)[0] in "LZN" for c in text)


_LOCAL, _HOST, _TOP = _regex(r"[A-Za-z0-9_+=.#|!&-]+"), _regex(r"[A-Za-z0-9_.-]+"), _regex(r"[A-Za-z0-9_]+")


def _contact_email(text: str) -> bool:
    local, _, domain = text.strip().partition("@")
    host, dot, top = domain.rpartition(".")
    return dot != "" and _LOCAL(local) and _HOST(host) and _TOP(top)


_ROOT, _UNIT, _ACCOUNT = r"r-[0-9a-z]{4,32}", r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}", r"[0-9]{12}"

PATTERNS: dict[int, tuple[Callable[[str], bool], str]] = {
    Rules.NAME: (_regex(r"[A-Za-z0-9_+=,.@-]+"), r"[\w+=,.@-]+"),
    Rules.PATH: (_regex(r"/|/[\x21-\x7e]+/"), r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"),
    Rules.PATH_PREFIX: (_regex(r"/[\x21-\x7e]*"), r"\u002F[\u0021-\u007F]*"),
    Rules.ARN: (_regex(r"arn:[\x21-\xff]+"), r"arn:[\u0021-\u00FF]+"),
    Rules.ID: (_regex(r"[A-Za-z0-9_]+"), r"[\w]+"),
    Rules.POLICY_VERSION: (_regex(r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"), r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"),
    Rules.LATIN: (_regex(r"[\t\n\r\x20-\xff]*"), r"[\u0009\u000A\u000D\u0020-\u00FF]+"),
    Rules.TAG: (_tag, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"),
    Rules.TAG_KEY: (lambda text: text != "" and _tag(text), r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"),
    Rules.XML: (
        _regex(r"[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+"),
        r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
    ),
    Rules.SESSION_NAME: (_regex(r"[A-Za-z0-9_+=,.@-]*"), r"[\w+=,.@-]*"),
    Rules.ACCOUNT_ID: (_regex(r"[0-9]{12}"), r"\d{12}"),
    Rules.POLICY_PATH: (_regex(r"/(?:[A-Za-z0-9.,+@=_-]+/)*"), r"((/[A-Za-z0-9\.,\+@=_-]+)*)/"),
    Rules.DESCRIPTION: (_regex(r"[\t\n\r\x20-\x7e\xa1-\xff]*"), r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"),
    Rules.MARKER: (_regex(r"[\x20-\xff]+"), r"[\u0020-\u00FF]+"),
    Rules.EXTERNAL_ID: (_regex(r"[A-Za-z0-9_+=,.@:/-]*"), r"[\w+=,.@:\/-]*"),
    Rules.SERIAL_NUMBER: (_regex(r"[A-Za-z0-9_+=/:,.@-]*"), r"[\w+=/:,.@-]*"),
    Rules.TOKEN_CODE: (_regex(r"[0-9]*"), r"[\d]*"),
    Rules.SAML_NAME: (_regex(r"[A-Za-z0-9._-]+"), r"[\w._-]+"),
    Rules.SERVICE_NAMESPACE: (_regex(r"[A-Za-z0-9_-]*"), r"[\w-]*"),
    Rules.PRIVATE_KEY_ID: (_regex(r"[A-Z0-9]+"), r"[A-Z0-9]+"),
    Rules.ACCOUNT_ALIAS: (_regex(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]"), r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"),
    Rules.HANDSHAKE_ID: (_regex(r"h-[0-9a-z]{8,32}"), r"^h-[0-9a-z]{8,32}$"),
    Rules.ORGANIZATION_POLICY_ID: (_regex(r"p-[0-9a-zA-Z_]{8,128}"), r"^p-[0-9a-zA-Z_]{8,128}$"),
    Rules.EMAIL: (_regex(r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+"), r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    Rules.ASCII: (_regex(r"[\x20-\x7e]+"), r"[\u0020-\u007E]+"),
    Rules.ROLE_NAME: (_regex(r"[A-Za-z0-9_+=,.@-]{1,64}"), r"[\w+=,.@-]{1,64}"),
    Rules.UNIT_ID: (_regex(_UNIT), r"^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$"),
    Rules.ROOT_ID: (_regex(_ROOT), r"^r-[0-9a-z]{4,32}$"),
    Rules.ACCOUNT_REQUEST_ID: (_regex(r"car-[a-z0-9]{8,32}"), r"^car-[a-z0-9]{8,32}$"),
    Rules.PARENT_ID: (_regex(f"{_ROOT}|{_UNIT}"), r"^(r-[0-9a-z]{4,32})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$"),
    Rules.POLICY_TARGET_ID: (
        _regex(f"{_ROOT}|{_ACCOUNT}|{_UNIT}"),
        r"^(r-[0-9a-z]{4,32})|(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$",
    ),
    Rules.CHILD_ID: (_regex(f"{_ACCOUNT}|{_UNIT}"), r"^(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$"),
    Rules.TAGGABLE_ID: (
        _regex(f"{_ROOT}|{_ACCOUNT}|{_UNIT}|p-[0-9a-zA-Z_]{{8,128}}|rp-[0-9a-zA-Z_]{{4,128}}|rt-[0-9a-zA-Z_]{{8,32}}"),
        r"^(r-[0-9a-z]{4,32})|(\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})|(^p-[0-9a-zA-Z_]{8,128})|(^rp-[0-9a-zA-Z_]{4,128})|(^rt-[0-9a-zA-Z_]{8,32})$",
    ),
    Rules.ACCOUNT_NAME: (_regex(r"[ -;=?-~]+"), r"[ -;=?-~]+"),
    Rules.INTERNATIONAL_NUMBER: (_regex(r"[+][\s0-9()-]+"), r"[+][\s0-9()-]+"),
    Rules.PHONE_NUMBER: (_regex(r"[\s0-9()+-]+"), r"[\s0-9()+-]+"),
    Rules.EVENT_DATA_STORE: (_regex(r"[a-zA-Z0-9._/:-]+"), r"^[a-zA-Z0-9._/\-:]+$"),
    Rules.EVENT_DATA_STORE_NAME: (_regex(r"[a-zA-Z0-9._-]+"), r"^[a-zA-Z0-9._\-]+$"),
    Rules.LINE: (_regex(r".*"), r".*"),
    Rules.SELECTOR_FIELD: (_regex(r"[A-Za-z0-9_|.]+"), r"[\w|\d|\.|_]+"),
    Rules.DIGITS: (_regex(r"[0-9]+"), r"\d+"),
    Rules.UUID: (_regex(r"[a-f0-9-]+"), r"^[a-f0-9\-]+$"),
    Rules.QUERY_ALIAS: (_regex(r"[a-zA-Z][a-zA-Z0-9._-]*"), r"^[a-zA-Z][a-zA-Z0-9._\-]*$"),
    Rules.S3_URI: (_regex(r"s3://[a-z0-9][.a-z0-9-]{1,61}[a-z0-9](?:/.*)?"), r"s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?"),
    Rules.CONTACT_EMAIL: (_contact_email, r"[\s]*[\w+=.#|!&-]+@[\w.-]+\.[\w]+[\s]*"),
    Rules.ENTITY_PATH: (_regex(r"o-[0-9a-z]{10,32}/r-[0-9a-z]{4,32}[0-9a-z/-]*"), r"^o-[0-9a-z]{10,32}\/r-[0-9a-z]{4,32}[0-9a-z-\/]*"),
    Rules.TOKEN_SCOPE: (
        _regex(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+(?: [\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+)*"),
        r"[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+( [\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+)*",
    ),
    Rules.ANALYZER_ARN: _same(r"[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:analyzer/.{1,255}"),
    Rules.ANALYZER_NAME: _same(r"[A-Za-z_][A-Za-z0-9_.-]*"),
    Rules.ARCHIVE_RULE_NAME: _same(r"[A-Za-z][A-Za-z0-9_.-]*"),
    Rules.RESOURCE_ARN: _same(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:.*"),
    Rules.TRAIL_ARN: _same(r"arn:[^:]*:cloudtrail:[^:]*:[^:]*:trail/.{1,576}"),
    Rules.ROLE_ARN: _same(r"arn:[^:]*:iam::[^:]*:role/.{1,576}"),
    Rules.PRINCIPAL_ARN: _same(r"arn:[^:]*:iam::[^:]*:(role|user)/.{1,576}"),
    Rules.FULL_UUID: _same(r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"),
    Rules.RESOURCE_TYPE: _same(r"AWS::[A-Za-z0-9]+::[A-Za-z0-9]+"),
    Rules.VPC_ID: _same(r"vpc-([0-9a-f]){8}(([0-9a-f]){9})?"),
}
