"""Documents that the provider signed for another place, time or purpose."""

import re
from datetime import timedelta

from tests.credentials.saml.hostile.making import ANSWERS, AUDIENCE, EARLY, EXPIRED, IDP, ISSUER, RECIPIENT, SHORT, Maker, mallory, rows
from tests.identity_provider import ROLE, assertion, attribute, encode, response, sign


def _said(**fields: object) -> Maker:
    return lambda: IDP.keycloak(mallory(**fields))


ONE_MINUTE = timedelta(minutes=1)
rows(
    RECIPIENT,
    for_another_recipient=_said(recipient="https://evil.example.com/saml"),
    for_a_recipient_that_begins_alike=_said(recipient="https://signin.aws.amazon.com/saml.evil.example.com"),
    for_no_recipient=_said(recipient=None),
)
rows(
    AUDIENCE,
    for_another_audience=_said(audience="urn:evil"),
    for_an_audience_in_other_case=_said(audience="URN:amazon:webservices"),
    for_no_audience=_said(audience=None),
    for_an_empty_audience=_said(audience=""),
)
rows("another destination", to_another_destination=_said(destination="https://evil.example.com/saml"))
rows(
    ANSWERS,
    in_response_to_another_request=_said(request="id1", confirmed_request="id2"),
    in_response_to_a_request_around_an_unasked_one=_said(request="id1"),
    in_response_to_a_request_around_nothing=_said(confirmed_request="id1"),
)
rows(
    EXPIRED,
    expired=_said(not_before=timedelta(minutes=-9), not_on_or_after=-ONE_MINUTE),
    expired_to_the_second=_said(not_on_or_after=timedelta()),
    confirmed_until_a_minute_ago=_said(confirmed_until=-ONE_MINUTE),
    issued_more_than_five_minutes_ago=_said(issued=timedelta(minutes=-5), not_on_or_after=timedelta(hours=1)),
)
rows("The session at the identity provider has ended", of_a_session_that_has_ended=_said(session_ends=-ONE_MINUTE))
rows(
    EARLY,
    not_yet_valid=_said(not_before=2 * ONE_MINUTE),
    issued_in_the_future=_said(issued=2 * ONE_MINUTE),
)
rows(
    ISSUER,
    by_another_issuer=_said(issuer="https://other.example.com/m"),
    by_an_issuer_in_other_case=_said(issuer="https://IDP.example.com/m"),
    by_an_issuer_that_begins_alike=_said(issuer="https://idp.example.com/m/evil"),
)
rows(
    "bearer confirmation",
    confirmed_by_a_key=_said(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
    confirmed_without_end=_said(confirmed_until=None),
)
rows("version 2.0", of_version_1=_said(version="1.1"))
rows("authentication failed", a_failure=_said(status="urn:oasis:names:tc:SAML:2.0:status:Responder"))
rows("empty, or too long", an_empty_name=_said(name_id=""), a_blank_name=_said(name_id=" \t"), a_long_name=_said(name_id="a" * 1025))
rows("no time in UTC", a_local_time=lambda: _retimed("+02:00"), no_time=lambda: _retimed("Z Z"))
rows(
    "an attribute without a name, or one twice",
    an_attribute_that_comes_twice=lambda: _attributed(attribute(ROLE, ["a"]) + attribute(ROLE, ["b"])),
    an_attribute_without_a_name=lambda: _attributed(attribute("", ["a"])),
)
rows("too many attributes", very_many_attributes_signed=lambda: _attributed("".join(attribute(f"a{n}", []) for n in range(151))))
rows(
    SHORT,
    without_a_subject=lambda: _left_out("Subject"),
    without_conditions=lambda: _left_out("Conditions"),
    without_authentication=lambda: _left_out("AuthnStatement"),
)


def _retimed(suffix: str) -> str:
    what = mallory()
    ends = what.at(what.not_on_or_after)
    return encode(response(what, sign(assertion(what).replace(ends, ends[:-1] + suffix), IDP.pair)))


def _attributed(attributes: str) -> str:
    return encode(response(mallory(), sign(assertion(mallory(), attributes=attributes), IDP.pair)))


def _left_out(tag: str) -> str:
    text = re.sub(rf"(?s)<saml:{tag}[ >].*?</saml:{tag}>", "", assertion(mallory()))
    return encode(response(mallory(), sign(text, IDP.pair)))
