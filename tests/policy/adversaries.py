"""Questions that were made to be slow: policies and requests at their limits, each as large as is still answered.

An adversary makes a question of any size. `hardest` finds the largest that a document can hold and that is not refused: what is larger
is denied at once, so that this one is the slowest.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sekisho import policy
from sekisho.policy import keys, operands, patterns

ACCOUNT = "111122223333"
USER = policy.Principal("user", f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT, unique_id="AIDAALICE")
SESSION = policy.Principal("assumed-role", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s", ACCOUNT)  # nobody knows the path of its role
ACTION = "orders:Ship"
MAX_DOCUMENT = 131_072  # characters
ENDLESS = "x" * 8192
VALUES = 256
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}

Value = str | list[str]
Given = Mapping[str, Value]
Question = tuple[policy.Request, policy.Layers]
Adversary = Callable[[int], Question]


def program(statements: list[dict[str, Any]], version: str = "2012-10-17") -> policy.Attached:
    """A document, which may not be longer than documents are."""
    document = {"Version": version, "Statement": statements}
    if len(json.dumps(document, separators=(",", ":"))) > MAX_DOCUMENT:
        raise OverflowError
    return policy.Attached(policy.compile_policy(policy.from_json(document)))


def request(given: Given | None = None, *, resource: str = "*", principal: policy.Principal = USER) -> policy.Request:
    """A request with some keys; a list is a list also with one value."""
    given = given or {}
    several = [key for key, value in given.items() if isinstance(value, list)]
    return policy.Request(principal, ACTION, resource, ACCOUNT, keys.context(given, several))


def hardest(make: Adversary, most: int = 1 << 15) -> tuple[int, Question] | None:
    """The size and the question, None where the smallest is refused; sizes are tried within a sixteenth of each other."""
    low = 0
    best: Question | None = None
    step = 1
    while low + step <= most:
        found = _answered(make, low + step)
        if found is None:
            break
        low, best, step = low + step, found, low + step
    for _ in range(4):
        step //= 2
        if step and (found := _answered(make, low + step)) is not None:
            low, best = low + step, found
    return (low, best) if best is not None else None


def forget() -> None:
    """Empty every cache of the language that values and patterns of requests fill."""
    for cache in (operands.number, operands.date, operands.address, patterns.matcher, patterns.resource_matcher):
        cache.cache_clear()


def _answered(make: Adversary, size: int) -> Question | None:
    try:
        asked = make(size)
    except OverflowError:
        return None
    decision = policy.decide(*asked)
    assert decision.error == "" or decision.error.startswith("TooMuchWork: "), decision.error
    return None if decision.error else asked


def _given(value: Value = "", variable: str = "") -> Given:
    """What conditions ask for, and what variables name."""
    return {key: given for key, given in (("k:e", value), ("k:v", variable)) if given}


def _resources(pattern: str, resource: str = ENDLESS, variable: str = "", element: str = "Resource") -> Adversary:
    """One statement with many resources; `{}` is a number in each."""

    def make(size: int) -> Question:
        statement = {"Effect": "Allow", "Action": "*", element: [pattern.replace("{}", str(i)) for i in range(size)]}
        return request(_given("", variable), resource=resource), policy.Layers(identity=(program([statement]),))

    return make


def _listed(operator: str, pattern: str, value: Value, variable: str = "", effect: str = "Allow") -> Adversary:
    """One condition with many listed values."""

    def make(size: int) -> Question:
        condition = {operator: {"k:e": [pattern.replace("{}", str(i)) for i in range(size)]}}
        return request(_given(value, variable)), policy.Layers(identity=(program([{**ALL, "Effect": effect, "Condition": condition}]),))

    return make


def _keys(operator: str, listed: str, given: Given, effect: str = "Allow") -> Adversary:
    """One statement that asks for many keys."""

    def make(size: int) -> Question:
        condition = {operator: {f"k:{i}": listed for i in range(size)}}
        return request(given), policy.Layers(identity=(program([{**ALL, "Effect": effect, "Condition": condition}]),))

    return make


def _statements(element: Given | Mapping[str, Any], asked: policy.Request, layer: str = "identity", last: str = "Allow") -> Adversary:
    """Many statements, and one about something else; `{}` is a number in each."""
    text = json.dumps({**ALL, **element})

    def make(size: int) -> Question:
        other = {**ALL, "Effect": last, "Resource": "*" if last == "Deny" else "nothing"}
        made = program([*(json.loads(text.replace("{}", str(i))) for i in range(size)), other])
        return asked, policy.Layers(resource=made) if layer == "resource" else policy.Layers(identity=(made,))

    return make


def _policies(element: Mapping[str, Any], asked: policy.Request, layer: str = "identity", characters: int = 6_144) -> Adversary:
    """Many policies, each as long as AWS lets them be, or so many characters."""
    text = json.dumps({**ALL, **element}, separators=(",", ":"))
    made = program([json.loads(text.replace("{}", str(i))) for i in range(max(1, (characters - 40) // (len(text) + 3)))])
    everything = (program([ALL]),)

    def make(size: int) -> Question:
        if layer == "scps":
            return asked, policy.Layers(scps=(everything, (made,) * size), identity=everything)
        if layer == "rcps":
            return asked, policy.Layers(rcps=((made,) * size,), identity=everything)
        return asked, policy.Layers(identity=(made,) * size)

    return make


def _equal(key: str) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {key: "x"}}}


def _unequal(key: str) -> dict[str, Any]:
    return {"Condition": {"StringNotEquals": {key: "x"}}}


def _like(pattern: str) -> dict[str, Any]:
    return {"Condition": {"StringLike": {"k:e": pattern}}}


_DATES = [f"2026-{i % 12 + 1:02}-{i % 28 + 1:02}T12:{i % 60:02}:{i // 60:02}.123456789+05:30" for i in range(VALUES)]
_ADDRESSES = [f"2001:0db8:85a3:0000:0000:8a2e:255.255.{i}.1" for i in range(VALUES)]
_NUMBERS = [f"-1234567890123456789012345678901234567890.12345678{i}e1234" for i in range(VALUES)]
_ARNS = [f"arn:aws:iam::{ACCOUNT}:role/{'x' * 25}{i:03}" for i in range(VALUES)]
_WORDS = ["ab" * 30 + f"{i:03}" for i in range(VALUES)]
_NEARLY = "ab" * 4096  # of `ac`
_HALVES = "a" * 49 + "b" + "a" * 45
_LONG_ARN = "arn:aws:iam::1:" + _NEARLY[:8000]
_IDEOGRAMS = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))
_FULL = request({f"k:{i}": "x" * 200 for i in range(500)})  # a context at its limits
_SPARED = [ACCOUNT, SESSION.arn, f"arn:aws:iam::{ACCOUNT}:role/app"]
_MANY = request({"k:e": _WORDS})
_TWO = request({"k:e": ["a", "b"]})

ADVERSARIES: dict[str, Adversary] = {
    "searched": _resources("*x*y{}*"),
    "searched_pieces": _resources("*ac{}*ac*", _NEARLY),
    "searched_for_long": _resources("*" + "a" * 620 + "b" + "a" * 620 + "{}*", "a" * 2499),
    "searched_for_halves": _resources(f"*{_HALVES}{{}}*", "a" * 8192),
    "searched_wide": _resources("*ac{}*ac*", "ab" * 4095 + "Ā"),
    "automata": _resources("*?a{}*"),
    "automata_that_live": _resources("*?x*?x*{}"),
    "wide_automata": _resources("*" + "?x" * 500 + "{}"),
    "automata_of_short_texts": _resources("*?a{}*", "x" * 60),
    "segments": _resources("arn:aws:*x*:y{}:*", "arn:aws:" + "x:" * 1000),
    "prefixes_of_wide_texts": _resources("x" * 100 + "{}*", "x" * 8191 + "Ā"),
    "not_resources": _resources("arn:aws:s3:::b{}", "arn:aws:s3:::x", "", "NotResource"),
    "not_resources_searched": _resources("*y{}*", ENDLESS, "", "NotResource"),
    "dynamic": _resources("a${k:v}{}", "*", ENDLESS),
    "dynamic_stars": _resources("*${k:v}{}*", "x" * 2000, "x" * 999 + "y"),
    "dynamic_stars_of_short_texts": _resources("*${k:v}{}*", "x" * 100, "xy"),
    "dynamic_automata": _resources("*?${k:v}{}*", "x" * 2000, "x" * 999 + "y"),
    "dynamic_automata_of_short_texts": _resources("*?${k:v}{}*", "x" * 100, "xy"),
    "dynamic_automata_of_many_characters": _resources("*?${k:v}{}*", ENDLESS, _IDEOGRAMS),
    "dynamic_segments": _resources("arn:*a:${k:v}:{}*", "arn:" + "xa:" * 500, "b:" * 200),
    "dynamic_and_long": _resources("${k:v}" * 400 + "*{}", ENDLESS, ENDLESS[:100]),
    "dynamic_not_resources": _resources("*${k:v}{}*", "x" * 100, "xy", "NotResource"),
    "like": _listed("ForAllValues:StringNotLike", "*y{}*", _WORDS),
    "like_long": _listed("ForAnyValue:StringLike", "*ac{}*", [_NEARLY[:8000] + "x", _NEARLY[:8000] + "y"]),
    "like_many": _listed("ForAnyValue:StringLike", "*ac{}*", _WORDS),
    "like_one": _listed("StringLike", "*ac{}*", _NEARLY),
    "like_denied": _listed("StringLike", "*ac{}*", _WORDS, effect="Deny"),
    "like_automata": _listed("ForAnyValue:StringLike", "*?ac{}*", _WORDS),
    "like_automata_one": _listed("StringLike", "*?ac{}*", _NEARLY),
    "arns": _listed("ForAnyValue:ArnLike", f"arn:aws:iam::{ACCOUNT}:role/*{{}}y", _ARNS),
    "arns_wild": _listed("ForAnyValue:ArnLike", "arn:a*:i*:*:1*:*y{}*", _ARNS),
    "arns_long": _listed("ForAnyValue:ArnLike", "arn:aws:iam::*:*ac{}*", [_LONG_ARN + "x", _LONG_ARN + "y"]),
    "arns_one": _listed("ArnLike", "arn:aws:iam::*:*ac{}*", _LONG_ARN),
    "networks": _listed("ForAnyValue:IpAddress", "10.0.{}.0/32", _ADDRESSES),
    "numbers": _listed("ForAnyValue:NumericEquals", "{}", _NUMBERS),
    "dates": _listed("ForAnyValue:DateLessThan", "-{}", _DATES),
    "dates_one": _listed("DateLessThan", "-{}", _DATES[0]),
    "dynamic_like": _listed("StringLike", "*${k:v}{}*", "x" * 100, "xy"),
    "dynamic_like_many": _listed("ForAnyValue:StringLike", "*${k:v}{}*", _WORDS, "xy"),
    "dynamic_like_long": _listed("StringLike", "*${k:v}{}*", "x" * 2400, "x" * 1200 + "y"),
    "dynamic_arns": _listed("ArnLike", "arn:aws:*:*:*:${k:v}{}*", _ARNS[0], "role/x"),
    "dynamic_arns_in_doubt": _listed("ArnLike", "${k:v}{}", _ARNS[0], "role/x", effect="Deny"),
    "dynamic_exact": _listed("StringEquals", "${k:v}{}", "x", ENDLESS),
    "dynamic_any_case": _listed("StringEqualsIgnoreCase", "${k:v}{}", "x", "İ" * 8192),
    "keys_in_any_case": _keys("ForAllValues:StringNotEqualsIgnoreCase", "x", {f"k:{i}": ["İ" * 60] * VALUES for i in range(3)}),
    "keys_of_booleans": _keys("ForAllValues:Bool", "true", {f"k:{i}": ["true"] * VALUES for i in range(3)}),
    "keys_of_binaries": _keys("BinaryEqualsIfExists", "YQ==", {f"k:{i}": "A" * 8192 for i in range(15)}),
    "keys_of_dates": _keys("ForAllValues:DateGreaterThan", "-1", {f"k:{i}": [f"{date}{i}" for date in _NUMBERS] for i in range(3)}),
    "keys_missing": _keys("StringEquals", "x", {}),
    "keys_missing_for_a_deny": _keys("StringNotEquals", "x", {}, effect="Deny"),
    "binaries": _statements({"Condition": {"BinaryEquals": {"k:e": "YQ={}"}}}, request({"k:e": "A" * 8192})),
    "any_case": _statements({"Condition": {"StringEqualsIgnoreCase": {"k:e": ["y{}", "z"]}}}, request({"k:e": "İ" * 8192})),
    "exact": _statements(
        {"Condition": {"ForAllValues:StringNotEquals": {"k:e": ["y{}", "z"]}, "Null": {"k:e": "true"}}}, request({"k:e": _WORDS})
    ),
    "nothing_listed": _statements({"Condition": {"ForAllValues:StringNotLike": {"k:e": []}, "Null": {"k:e": "true"}}}, _MANY),
    "missing_keys": _statements(_equal("k:{}"), request()),
    "missing_keys_shared": _statements({"Condition": {"StringEquals": {"a": "x", "b": "x", "c": "x", "d{}": "x"}}}, request()),
    "missing_keys_of_a_full_context": _statements(_equal("m:{}"), _FULL),
    "missing_keys_of_dynamic_resources": _statements({"Resource": "*${m:{}}x", **_equal("k:{}")}, request(resource=ENDLESS[:500])),
    "denies": _statements({"Effect": "Deny"}, request()),
    "denies_that_lack": _statements({"Effect": "Deny", **_unequal("k:{}")}, request()),
    "denies_at_the_end": _statements(_like("*ac{}*"), request({"k:e": "ab" * 50}), last="Deny"),
    "nearly_allowed": _statements(_like("*ac{}*"), request({"k:e": "ab" * 50})),
    "turned_by_a_list": _statements({"Condition": {"StringEquals": {"k:e": "x{}"}, "Null": {"k:f": "true"}}}, _TWO),
    "turned_by_no_address": _statements({"Condition": {"IpAddress": {"k:e": "10.0.{}.0/24"}}}, request({"k:e": "x" * 64})),
    "one_prefix": _statements({"Resource": "x*", **_like("*ac{}*")}, request({"k:e": "ab" * 50}, resource="xx")),
    "grants": _statements({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x{{}}"}}, request(principal=SESSION), "resource"),
    "grants_to_others": _statements({"Principal": {"CanonicalUser": "x{}"}}, request(), "resource"),
    "sparing_denies": _statements({"Effect": "Deny", "NotPrincipal": {"AWS": _SPARED}}, request(principal=SESSION), "resource"),
    "policies": _policies({"Resource": "arn:aws:s3:::b{}"}, request(resource=ENDLESS)),
    "policies_of_one_statement": _policies({}, request(), characters=0),
    "policies_that_lack": _policies(_equal("k:{}"), request()),
    "policies_searched": _policies(_like("*x{}*"), request({"k:e": "y" * 100})),
    "policies_and_a_full_context": _policies({"Condition": {"StringLike": {"k:1": "*y{}*"}}}, _FULL),
    "policies_that_deny": _policies({"Effect": "Deny"}, request()),
    "policies_that_deny_and_lack": _policies({"Effect": "Deny", **_unequal("k:{}")}, request()),
    "scps": _policies(_equal("k:{}"), request(), "scps"),
    "rcps": _policies({"Effect": "Deny", "Principal": "*", **_like("*x{}*")}, request({"k:e": "y" * 100}), "rcps"),
}
