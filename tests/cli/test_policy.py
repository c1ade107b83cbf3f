"""`sekisho policy`: the language without a server."""

import json

from tests.cli.command import sekisho

ALLOW = {"Version": "2012-10-17", "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "orders:Get*", "Resource": "*"}]}


def case(name: str, action: str) -> str:
    """A case as a line of JSON."""
    request = {
        "principal": "arn:aws:iam::111122223333:user/alice",
        "principal_type": "user",
        "action": action,
        "resource": "arn:aws:orders:eu-west-1:111122223333:order/7",
        "resource_account": "111122223333",
        "context": {},
    }
    return json.dumps({"id": name, "request": request, "identity_policies": [ALLOW]})


def test_decide_answers_line_by_line() -> None:
    done = sekisho("policy", "decide", stdin=f"{case('a', 'orders:GetOrder')}\n\n{case('b', 'orders:ShipOrder')}\n".encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{"id": "a", "decision": "Allowed"}\n{"id": "b", "decision": "ImplicitlyDenied"}\n'


def test_decide_explains() -> None:
    done = sekisho("policy", "decide", "--explain", stdin=case("a", "orders:GetOrder").encode())
    assert json.loads(done.stdout) == {
        "id": "a",
        "decision": "Allowed",
        "layer": "identity",
        "matched": [{"layer": "identity", "policy": "identity_policies[0]", "sid": "Read", "index": 0}],
        "missing_keys": [],
    }


def test_a_line_that_is_no_case_does_not_stop_the_others() -> None:
    done = sekisho("policy", "decide", stdin=b'{"id": \xff}\n{"id": "x"}\n' + case("b", "orders:GetOrder").encode())
    assert done.returncode == 1
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["line"], "not JSON" in first["error"]) == (1, True)
    assert second == {"line": 2, "error": "case `x`: `request` is no JSON object"}
    assert third == {"id": "b", "decision": "Allowed"}
    assert done.stderr.splitlines()[1] == "sekisho: line 2: case `x`: `request` is no JSON object"
