"""Access from within: keys whose values are known, and keys that several layers ask for."""

from dataclasses import replace
from typing import Any

import pytest

from sekisho import policy
from sekisho.analysis import inside
from sekisho.analysis.solver.contexts import Key
from sekisho.analysis.solver.formulas import TRUE
from sekisho.analysis.solver.inside import _Case
from sekisho.analysis.solver.questions import PolicyType
from sekisho.policy import Layers, Principal, Request
from tests.analysis.solver.requests_read import Asked
from tests.analysis.solver.test_inside import OFFICE, ROLE, ROLES, USER, answer, attached, request, statement

LABELS = {"ForAnyValue:StringEquals": {"shop:Labels": "a"}, "ForAnyValue:StringLike": {"shop:Labels": "b"}}
UNLABELLED = [statement("Deny", Principal="*", Condition={"ForAllValues:StringNotEquals": {"shop:Labels": label}}) for label in "ab"]
OPEN, LABELLED = attached(statement()), attached(statement(Condition=LABELS))
SEVERAL = {
    "identity": Layers((LABELLED,)),
    "boundary": Layers((OPEN,), boundary=(LABELLED,)),
    "scp": Layers((OPEN,), scps=((LABELLED,),)),
    "rcp": Layers((OPEN,), rcps=((attached(*UNLABELLED),),)),
    "resource": Layers((), attached(statement(Principal=ROLES, Condition=LABELS))),
    "resource_that_denies": Layers((OPEN,), attached(*UNLABELLED)),
}


@pytest.mark.parametrize("layer", SEVERAL)
def test_two_values_of_a_key_that_one_layer_asks_for(layer: str) -> None:
    assert answer(request(), SEVERAL[layer]) == "yes"


def of_kind(value: str, *denied: dict[str, Any], operator: str = "StringEquals", key: str = "aws:userid") -> Layers:
    return Layers((attached(statement(Condition={operator: {key: value}}), *(statement("Deny", Condition=one) for one in denied)),))


def with_paths(*paths: str) -> Request:
    made = request()
    return replace(made, context=policy.Context({**made.context, "aws:principalorgpaths": paths}))


def tagged() -> Request:
    made = request()
    return replace(made, context=policy.Context({**made.context, "shop:resourcetag/team": "blue"}))


PATH, PATHS = "o-1/r-1/", "aws:PrincipalOrgPaths"
IS_PATH, IS_NOT_PATH = {"StringEquals": {"shop:Kind": PATH}}, {"StringNotEquals": {"shop:Kind": PATH}}
LINKED = replace(ROLE, kind="service-linked-role")
DIGIT = replace(USER, unique_id="1ANN")
TEAM = {"ForAnyValue:StringEquals": {"shop:ResourceTag/team": "${shop:Kind}"}, "StringLike": {"shop:ResourceTag/team": "${shop:Kind}*"}}
KNOWN: dict[str, tuple[Request, Layers, str]] = {
    "a_user_id_that_a_request_says_again": (request(USER), of_kind("${shop:Kind}"), "yes"),
    "a_user_id_that_it_is_not_to_say": (request(USER), of_kind("${shop:Kind}", {"StringLike": {"shop:Kind": "AIDA*"}}), "unknown"),
    "a_user_id_of_another_look": (request(DIGIT), of_kind("${shop:Kind}"), "yes"),
    "a_service_linked_role": (request(LINKED), Layers((attached(statement(Condition=OFFICE)),)), "yes"),
    "a_list": (with_paths(PATH), of_kind("${shop:Kind}", IS_NOT_PATH, operator="ForAnyValue:StringEquals", key=PATHS), "yes"),
    "a_list_and_no_more": (with_paths(PATH), of_kind("${shop:Kind}", IS_PATH, operator="ForAnyValue:StringEquals", key=PATHS), "unknown"),
    "a_value_where_a_list_could_be": (tagged(), Layers((attached(statement(Condition=TEAM)),)), "yes"),
    "a_list_that_is_not_there": (request(), of_kind("${shop:Kind}", operator="ForAnyValue:StringEquals", key=PATHS), "no"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_keys(name: str) -> None:
    made, layers, expected = KNOWN[name]
    assert answer(made, layers) == expected


def case(made: Request) -> _Case:
    layers = Layers((OPEN,))
    return _Case(OPEN.program, PolicyType.RESOURCE, 1_000, case=inside.case_of(made, layers), layers=layers)


def test_what_is_known_of_keys() -> None:
    key = Key("shop:resourcetag/team", 2, listed=True)
    values: list[str | tuple[str, ...]] = ["blue", "red", ("blue",), ("blue", "blue"), ()]
    known = case(tagged())._known(key)
    assert [Asked(keys={key.name: value}).meets(known) for value in values] == [True, False, False, False, False]
    assert not Asked().meets(known)
    paths = Key("aws:principalorgpaths", 3, single=False, listed=True)
    known = case(with_paths("a", "b"))._known(paths)
    lists: list[tuple[str, ...]] = [("a", "b"), ("a",), ("b", "a"), ("a", "b", "c"), ()]
    assert [Asked(keys={paths.name: value}).meets(known) for value in lists] == [True, False, False, False, False]
    assert case(request())._known(Key("aws:principalarn")) == TRUE == case(request())._known(Key("shop:kind"))
    assert Asked().meets(case(request())._known(Key("aws:principaltag/team")))
    assert not Asked(keys={"aws:principaltag/team": "x"}).meets(case(request())._known(Key("aws:principaltag/team")))


@pytest.mark.parametrize("who", [USER, ROLE])
def test_what_is_known_of_user_ids(who: Principal) -> None:
    known = case(request(who))._known(Key("aws:userid"))
    own, kind = who.unique_id, who.kind
    said = [own, f"{own}:bob", f"{own}:b", f"x{own}:bob", "x"]
    assert [Asked(kind, who.entity_arn, text, keys={"aws:userid": text}).meets(known) for text in said] == [
        text == (own if kind == "user" else f"{own}:bob") for text in said
    ]
    assert not Asked(kind, who.entity_arn, own).meets(known)
