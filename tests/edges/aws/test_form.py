"""The parameters of a form or query string, as text and as a tree."""

from typing import Any

import pytest

from sekisho.edges.aws import form
from sekisho.edges.aws.errors import MalformedQueryString
from sekisho.sigv4 import HttpRequest

KIND = "application/x-www-form-urlencoded"


def ask(body: bytes = b"", query: str = "", *, method: str = "POST", kind: str | None = None) -> HttpRequest:
    return HttpRequest(method, "/", query, (("content-type", kind),) if kind is not None else (), body)


def test_texts_as_they_stand() -> None:
    assert form.raw(ask(b"a=%20", "b=+")) == ("b=+", "a=%20")
    assert form.raw(ask(query="b=1", method="DELETE", kind="text/plain")) == ("b=1", "")
    for kind in (KIND, f"{KIND}; charset=utf-8", f" {KIND.upper()} ;x;y", ""):
        assert form.raw(ask(b"a", kind=kind)) == ("", "a")


@pytest.mark.parametrize(
    "request_",
    [ask(b"a", method="GET"), ask(b"a", method="PUT", kind=KIND), ask(b"{}", kind="application/json"), ask(b"a", kind="x;" + KIND)],
)
def test_a_body_is_the_form_of_a_post(request_: HttpRequest) -> None:
    with pytest.raises(MalformedQueryString) as raised:
        form.raw(request_)
    assert raised.value.message == f"A body is the form of a POST, of the type {KIND}."


def test_a_form_is_ascii() -> None:
    with pytest.raises(MalformedQueryString, match=r"^The form has characters that are not encoded\.$"):
        form.raw(ask("a=é".encode()))


PEEKED: list[tuple[tuple[str, str], str | None]] = [
    (("Action=A", ""), "A"),
    (("Action=A&B=C", ""), "A"),
    (("Action=", ""), ""),
    (("", "Action=A&Action=B"), "A"),
    (("B=C&Action=A", ""), "A"),
    (("B=C&Action=A&D=E&F=G", ""), "A"),
    (("Action=A=B&C", ""), "A=B"),
    (("Action=A", "Action=B"), "A"),
    (("X=Y", "Z=Action=&Action=B"), "B"),
    (("MyAction=A", ""), None),
    (("Action", "Actions=1"), None),
    (("&Action=A", ""), "A"),
    (("", ""), None),
]


@pytest.mark.parametrize(("texts", "value"), PEEKED)
def test_peek_sees_the_first_value(texts: tuple[str, str], value: str | None) -> None:
    assert form.peek(texts, "Action") == value


PARAMETERS: list[tuple[str, str, dict[str, str]]] = [
    ("", "", {}),
    ("a=1&b=2", "", {"a": "1", "b": "2"}),
    ("a=1", "b=2", {"a": "1", "b": "2"}),
    ("&&a=1&", "", {"a": "1"}),
    ("a", "b=", {"a": "", "b": ""}),
    ("a=b=c", "", {"a": "b=c"}),
    ("a%20b=c+d", "", {"a b": "c d"}),
    ("a=%2B%C3%A9", "e+f=%26", {"a": "+é", "e f": "&"}),
    ("a=+", "", {"a": " "}),
    ("X-Amz-Signature=s&X-Amz-Date=d&X-Amz-Credential=c&X-Amz-Expires=e&X-Amz-Algorithm=g&X-Amz-SignedHeaders=h&X-Amz-Security-Token=t&a=1",
     "", {"a": "1"}),
    ("X-Amz-Date=d&a=1", "", {"a": "1", "X-Amz-Date": "d"}),
    ("a=1", "X-Amz-Signature=s&X-Amz-Date=d", {"a": "1", "X-Amz-Signature": "s", "X-Amz-Date": "d"}),
    ("X-Amz-Signature=s", "X-Amz-Date=d", {"X-Amz-Date": "d"}),
    ("X-Amz-Signature=s&X-Amz-Other=o", "", {"X-Amz-Other": "o"}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "body", "found"), PARAMETERS)
def test_parameters(query: str, body: str, found: dict[str, str]) -> None:
    assert form.parameters(ask(body.encode(), query)) == found


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ("a=1&a=1", "", "The parameter 'a' is given twice."),
        ("a=1", "a=2", "The parameter 'a' is given twice."),
        ("a=1&%61=2", "", "The parameter 'a' is given twice."),
        (f"{'a' * 65}&{'a' * 65}", "", f"The parameter '{'a' * 64}' is given twice."),
        ("a=%FF", "", "A parameter is not UTF-8."),
        ("%FF=a", "", "A parameter is not UTF-8."),
        ("&" * 8193, "", "There are more than 8192 parameters."),
        ("&" * 4097, "&" * 4096, "There are more than 8192 parameters."),
    ],
)
def test_parameters_are_refused(query: str, body: str, said: str) -> None:
    with pytest.raises(MalformedQueryString) as raised:
        form.parameters(ask(body.encode(), query))
    assert raised.value.message == said


def test_as_many_parameters_as_may_be() -> None:
    assert form.parameters(ask(b"&" * 4096, "&" * 4096)) == {}


TREES: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"a": "1"}, {"a": "1"}),
    ({"a.b": "1", "a.c.d": "2", "e": "3"}, {"a": {"b": "1", "c": {"d": "2"}}, "e": "3"}),
]


@pytest.mark.parametrize(("members", "tree"), TREES)
def test_tree(members: dict[str, str], tree: dict[str, Any]) -> None:
    assert form.tree(members) == tree


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a": "1", "a.b": "2"}, "The parameter 'a.b' is beneath another that has a value."),
        ({"a": "1", "a.b.c": "2"}, "The parameter 'a.b.c' is beneath another that has a value."),
        ({"a.b": "2", "a": "1"}, "The parameter 'a' has a value, and others beneath it."),
        ({"a": "1", f"a.{'b' * 63}": "2"}, f"The parameter 'a.{'b' * 62}' is beneath another that has a value."),
        ({f"{'a' * 65}.b": "2", "a" * 65: "1"}, f"The parameter '{'a' * 64}' has a value, and others beneath it."),
        ({".".join("a" * 33): "1"}, "A parameter's name has more than 32 parts."),
    ],
)
def test_tree_is_refused(members: dict[str, str], said: str) -> None:
    with pytest.raises(MalformedQueryString) as raised:
        form.tree(members)
    assert raised.value.message == said


def test_as_many_parts_as_may_be() -> None:
    assert form.tree({".".join("a" * 32): "1"})["a"]
