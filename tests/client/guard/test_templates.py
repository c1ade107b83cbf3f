"""ARN templates: read once, and filled by names alone."""

import pytest

from sekisho.client.guard import templates
from sekisho.client.guard.fields import Unreadable

ORDER = "arn:aws:orders:eu-west-1:{account}:order/{order_id}"


def test_fields_and_the_services_own_account() -> None:
    template = templates.parse("arn:aws:orders:{region}:{account}:order/{order_id}/of/{order_id}/{customer.id}")
    assert template.fields == ("region", "order_id", "customer.id")
    assert template.needs_account
    values = {"region": "eu-west-1", "account": "111122223333", "order_id": 7, "customer.id": "c-1"}
    assert template.fill(values) == "arn:aws:orders:eu-west-1:111122223333:order/7/of/7/c-1"  # type: ignore[arg-type]  # a dict is invariant


def test_a_resource_without_fields() -> None:
    assert templates.parse("*").fill({}) == "*"
    assert templates.parse("arn:aws:orders:::shop").fill({}) == "arn:aws:orders:::shop"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("order/{order_id}", "is not an ARN"),
        ("arn:aws:orders:eu-west-1:1", "is not an ARN"),
        ("{order_id}", "is not an ARN"),
        ("", "is not an ARN"),
        ("arn:aws:orders:::order/*", "no wildcards"),
        ("arn:aws:orders:::order/{id}?", "no wildcards"),
        ("arn:aws:orders:::order/{}", "a field is written"),
        ("arn:aws:orders:::order/{id", "a field is written"),
        ("arn:aws:orders:::order/id}", "a field is written"),
        ("arn:aws:orders:::order/{a b}", "a field is written"),
        ("arn:aws:orders:::order/{{id}}", "a field is written"),
        ("arn:aws:orders:::order/{id..x}", "a field is written"),
        ("arn:aws:orders:{region+}::order", "after the fifth colon"),
        ("arn:aws:orders:::{account+}", "after the fifth colon"),
    ],
)
def test_a_wrong_template_is_refused_when_it_is_read(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        templates.parse(template)


@pytest.mark.parametrize(
    "value", ["", "a/b", "a:b", "*", "a?", "a b", "a\n", "a\0", "a\x7f", "..", ".", "\u2028", "x" * 2048, 1.5, True, ("a",)], ids=repr
)
def test_a_value_that_could_be_more_than_its_field_is_refused(value: object) -> None:
    with pytest.raises(Unreadable):
        templates.parse(ORDER).fill({"account": "111122223333", "order_id": value})  # type: ignore[dict-item]  # some are no values


@pytest.mark.parametrize("value", ["7", "a-b_c.d~e@f=g,h+i", "ÄÖ", "...", "{account}", "${aws:username}".replace(":", "-")])
def test_names_are_taken_as_they_are(value: str) -> None:
    filled = templates.parse(ORDER).fill({"account": "111122223333", "order_id": value})
    assert filled == f"arn:aws:orders:eu-west-1:111122223333:order/{value}"


def test_a_wide_field_takes_paths_but_goes_nowhere() -> None:
    template = templates.parse("arn:aws:files:::bucket/{key+}")
    assert template.fill({"key": "a/b:c/d.txt"}) == "arn:aws:files:::bucket/a/b:c/d.txt"
    for key in ("a/../b", "..", "./a", "a/*", "", "a b"):
        with pytest.raises(Unreadable):
            template.fill({"key": key})
