"""Cases for faults in values that other tests did not notice: keys, variables, patterns, numbers, dates, addresses."""

from decimal import Decimal

import pytest

from sekisho.policy import keys, operands, operators, patterns, variables
from sekisho.policy.variables import Variable


def test_a_wildcard_with_a_comma_is_a_name_nobody_has() -> None:
    assert variables.parse("${*,x}", variables=True, wildcards=True) == (Variable("*,x"),)
    assert variables.parse("${?,}", variables=True, wildcards=True) == (Variable("?,"),)


GLOBAL_KEYS = """
    PRINCIPAL    ARN         PrincipalArn
    PRINCIPAL    STRING      PrincipalAccount PrincipalOrgID PrincipalType PrincipalServiceName PrincipalTag/ userid username
    PRINCIPAL    STRING...   PrincipalOrgPaths PrincipalServiceNamesList
    PRINCIPAL    BOOL        PrincipalIsAWSService
    SESSION      STRING      SourceIdentity FederatedProvider AssumedRoot Ec2InstanceSourceVpc
    SESSION      IP_ADDRESS  Ec2InstanceSourcePrivateIPv4
    SESSION      ARN         ChatbotSourceArn SignInSessionArn
    SESSION      DATE        TokenIssueTime
    SESSION      BOOL        MultiFactorAuthPresent
    SESSION      NUMERIC     MultiFactorAuthAge
    REQUEST      STRING      RequestedRegion RequestTag/ CalledViaFirst CalledViaLast SourceAccount SourceOrgID
    REQUEST      STRING...   TagKeys CalledVia SourceOrgPaths
    REQUEST      BOOL        ViaAWSService IsMcpServiceAction
    REQUEST      ARN         SourceArn
    RESOURCE     STRING      ResourceAccount ResourceOrgID ResourceTag/
    RESOURCE     STRING...   ResourceOrgPaths
    NETWORK      IP_ADDRESS  SourceIp VpcSourceIp
    NETWORK      STRING      SourceVpc SourceVpce VpceAccount VpceOrgID UserAgent Referer
    NETWORK      ARN         SourceVpcArn
    NETWORK      STRING...   VpceOrgPaths
    NETWORK      BOOL        SecureTransport
    ENVIRONMENT  DATE        CurrentTime EpochTime
"""


def test_the_table_of_global_keys() -> None:
    """Every key, where it comes from, its type, and whether it has several values; spelled as AWS documents it."""
    expected = set()
    for source, kind, *names in (line.split() for line in GLOBAL_KEYS.strip().splitlines()):
        expected |= {(f"aws:{name}", source, kind.removesuffix("..."), kind.endswith("...")) for name in names}
    assert {(key.name, key.source.name, key.type.name, key.multivalued) for key in keys.GLOBAL.values()} == expected
    assert all(keys.GLOBAL[name.lower()].name == name for name, *_ in expected)


def test_an_empty_pattern_matches_the_empty_text_alone() -> None:
    for make in (patterns.matcher, patterns.resource_matcher):
        assert [make(())(text) for text in ("", "a", ":")] == [True, False, False]


def test_the_longest_texts_that_are_read() -> None:
    """Sixty-four characters are read, one more is none of the kind."""
    assert operands.number("1." + "0" * 62) == 1
    assert operands.number("1." + "0" * 63) is None
    assert operands.date("2026-11-25T12:00:00.000000000+00:00") is not None
    assert operands.date("1" + " " * 64) is None
    assert operands.address("::" + "0" * 62 + "1") is None


def test_a_mapped_range_is_one_of_ipv4_while_it_fits() -> None:
    """`::ffff:10.0.0.0/96` is all of IPv4; one bit wider is a range of IPv6, in which no IPv4 address lies."""
    home = operands.address("10.1.2.3")
    assert home is not None
    for prefix, inside in ((128, False), (104, True), (96, True), (95, False), (64, False)):
        found = operands.network(f"::ffff:10.0.0.0/{prefix}")
        assert found is not None
        first, mask = found
        assert (home & mask == first) is inside, prefix


def test_a_range_of_ipv6_that_holds_the_mapped_ones() -> None:
    found = operands.network("::ffff:10.0.0.0/95")
    assert found is not None
    first, mask = found
    for text, inside in (("::fffe:1:2", True), ("::fffd:1:2", False), ("::1:0:1:2", False)):
        number = operands.address(text)
        assert number is not None
        assert (number & mask == first) is inside, text


def test_a_mapped_address_is_the_ipv4_one() -> None:
    for text in ("10.0.0.1", "255.255.255.254", "255.255.255.255", "0.0.0.1"):
        assert operands.address(f"::ffff:{text}") == operands.address(text) is not None


DATES = {
    "2026-11-25T17:23:42Z": "1795627422",
    "2026-11-25T17:23:42.5Z": "1795627422.5",
    "2026-11-25T17:23Z": "1795627380",
    "2026-11-25T17:23:42+05:30": "1795607622",
    "2026-11-25T17:23:42-0130": "1795632822",
    "2026-11-25": "1795564800",
    # parts and leading zeros left out, as AWS reads dates in policies
    "01T": "-62135596800",
    "2026-11-25T": "1795564800",
    "2026-11-25t2:00:00.5+23": "1795489200.5",
    "2026-11-25T2:5:7-02": "1795579507",
    "2026-3-1T4": "1772337600",
    "2026-11-25T+01": "1795561200",
    "2026-11": "1793491200",
    "1795627422": "1795627422",
}


@pytest.mark.parametrize(("text", "seconds"), DATES.items())
def test_dates_to_the_second(text: str, seconds: str) -> None:
    assert operands.date(text) == Decimal(seconds)


NO_DATES = (
    "2026 T",
    "2026-11-25 ",
    "2026-11-25T12:00:00+1",
    "2026-11-25T12:00+22:60",
    "2026-11-25T12:00+24",
    "20261125T12",
    "2026-11-25Z",
    "2026-11-25T12.5",
    "0T",
    "T",
    "2026",
)


@pytest.mark.parametrize("text", NO_DATES)
def test_texts_that_are_no_dates(text: str) -> None:
    assert operands.date(text) is None


def test_a_normal_pattern_has_no_neighbours_of_a_kind() -> None:
    any_, one = patterns.ANY, patterns.ONE
    assert patterns.normal((any_, "", any_, "", "a", "b", one, one, any_, any_)) == (any_, "ab", one, one, any_)


def test_the_types_of_keys_are_named_as_aws_names_them() -> None:
    assert [kind.value for kind in keys.Type] == ["String", "ARN", "Numeric", "Date", "Bool", "IPAddress"]


def test_what_follows_a_default_is_read_on() -> None:
    parts = variables.parse("${k:a, 'x'}/${k:b, 'y'}*${k:c}", variables=True, wildcards=True)
    assert parts == (Variable("k:a", "x"), "/", Variable("k:b", "y"), patterns.ANY, Variable("k:c"))


@pytest.mark.parametrize(("text", "other"), [("10.0.0.1", "10.0.0.0"), ("10.0.0.0", "10.0.0.1"), ("::1", "::"), ("::2", "::3")])
def test_an_address_alone_is_a_range_of_one(text: str, other: str) -> None:
    found, alone, beside = operands.network(text), operands.address(text), operands.address(other)
    assert found is not None
    assert alone is not None
    assert beside is not None
    assert (alone & found[1] == found[0], beside & found[1] == found[0]) == (True, False)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/0016", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/1x", "10.0.0.0/١٦", "::/129", "::/0001", "10.0.0/8"]
)
def test_ranges_that_nobody_can_read(text: str) -> None:
    assert operands.network(text) is None


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("a*b*c", ["abc", "axbxc", "abbcc"], ["abcx", "xabc", "acb", "ac", "ab"]),
        ("*a*b", ["ab", "xaxb", "aab"], ["abx", "ba", "b"]),
        ("a*b*", ["ab", "axbx"], ["xab", "a", "ba"]),
        ("*a*b*", ["ab", "xaxbx"], ["ba", "a", ""]),
        ("ab*b*bc", ["abbbc", "abxbxbc"], ["abbc", "abc"]),
        ("aa*a*aa", ["aaaaa", "aaxaxaa"], ["aaaa", "aaa"]),
    ],
)
def test_pieces_between_stars(pattern: str, fitting: list[str], others: list[str]) -> None:
    matches = patterns.matcher(patterns.tokens(pattern))
    assert [text for text in (*fitting, *others) if matches(text)] == fitting


NEGATED = "StringNotEquals StringNotEqualsIgnoreCase StringNotLike NumericNotEquals DateNotEquals NotIpAddress ArnNotEquals ArnNotLike"
WILD = "StringLike StringNotLike ArnEquals ArnNotEquals ArnLike ArnNotLike"
TEXTUAL = f"{WILD} StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase"


def test_the_table_of_operators() -> None:
    """Which are negated, have wildcards and have variables in their values."""
    rows = operators.OPERATORS.items()
    assert {name for name, row in rows if row.negated} == set(NEGATED.split())
    assert {name for name, row in rows if row.wildcards} == set(WILD.split())
    assert {name for name, row in rows if row.type.variables} == set(TEXTUAL.split())
    assert len(rows) == 26


def test_blanks_around_the_name_of_a_variable() -> None:
    assert variables.parse("${ k:a , 'x'}${ k:b }", variables=True, wildcards=True) == (Variable("k:a", "x"), Variable("k:b"))


def test_a_dot_after_the_colon_makes_no_host() -> None:
    assert [keys.owned_by_principal(name) for name in ("accounts.google.com:sub", "orders:size.max", "orders:size")] == [True, False, False]


def test_the_sources_of_keys() -> None:
    assert [source.value for source in keys.Source] == ["principal", "session", "request", "resource", "network", "environment"]
