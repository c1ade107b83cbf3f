"""Which operation a request is for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest

from sekisho.edges.aws import services
from sekisho.edges.aws.errors import InvalidAction, MissingAction, UnknownOperation
from sekisho.edges.aws.services import Router
from sekisho.operations.annotations import Identity
from sekisho.sigv4 import HttpRequest
from tests.edges.aws import toys

SHAPES = {
    "MakeInput": toys.structure({}),
    "MakeOutput": toys.structure({}),
    "AllInput": toys.structure({}),
    "AllOutput": toys.structure({}),
}
BARE: dict[str, Any] = {"Make": {}, "All": {}}
PATHS = {name: {"http": {"method": "GET", "requestUri": uri}} for name, uri in (("Make", "/things/{thingId}"), ("All", "/things/all"))}


def made() -> tuple[Router, Mapping[str, Any]]:
    models = {
        "asking": toys.model("query", BARE, SHAPES, apiVersion="2010-05-08"),
        "speaking": toys.model("json", BARE, SHAPES, targetPrefix="Speak_1", protocols=["json", "smithy-rpc-v2-cbor"]),
        "old": toys.model("smithy-rpc-v2-cbor", BARE, SHAPES, targetPrefix="Old_1", protocols=["smithy-rpc-v2-cbor", "json"]),
        "resting": toys.model("rest-json", PATHS, SHAPES),
    }
    protocols = {"asking": "query", "speaking": "json", "old": "json", "resting": "rest-json"}
    of = {name: toys.service(protocols[name], name) for name in models}
    operations = [toys.operation(models[name], "Make", of=of[name]) for name in models]
    operations.append(toys.operation(models["resting"], "All", of=of["resting"]))
    operations.append(replace(operations[0], service=replace(of["asking"], package="ours", protocol=Identity.PROTOCOL_UNSPECIFIED)))
    return Router(operations, models.__getitem__), {f"{one.service.package}:{one.name}": one for one in operations}


def ask(method: str = "POST", path: str = "/", query: str = "", body: bytes = b"", **headers: str) -> HttpRequest:
    return HttpRequest(method, path, query, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body)


def credential(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"


CBOR: dict[str, Any] = {"smithy_protocol": "rpc-v2-cbor"}
FOUND = [
    (ask(body=b"Action=Make&Version=2010-05-08"), "asking:Make"),
    (ask("GET", query="Version=2010-05-08&Action=All"), "asking:All"),
    (ask(x_amz_target="Speak_1.Make"), "speaking:Make"),
    (ask(x_amz_target="Speak_1.All"), "speaking:All"),
    (ask(x_amz_target="Old_1.Make"), "old:Make"),
    (ask(path="/service/Speak_1/operation/Make", **CBOR), "speaking:Make"),
    (ask(path="/service/Old_1/operation/All", **CBOR), "old:All"),
    (ask("GET", "/things/x", authorization=credential("resting")), "resting:Make"),
    (ask("GET", "/things/all", authorization=credential("resting")), "resting:All"),
    (ask("GET", "/things/x", "X-Amz-Credential=A%2F20260101%2Feu-west-1%2Fresting%2Faws4_request"), "resting:Make"),
]


@pytest.mark.parametrize(("request_", "name"), FOUND)
def test_a_request_names_an_operation(request_: HttpRequest, name: str) -> None:
    router, operations = made()
    route = router.of(request_)
    assert f"{route.service.package}:{route.name}" == name
    operation = operations.get(name)
    assert (route.answered is None) is (operation is None)
    if route.answered is not None:
        assert route.answered[0] is operation


def test_all_routes() -> None:
    found = sorted(f"{route.service.package}:{route.name}" for route in made()[0].routes())
    assert found == sorted(
        f"{name}:{one}" for name in ("asking", "speaking", "speaking", "old", "old", "resting") for one in ("Make", "All")
    )


TARGET, PATH = "The operation that X-Amz-Target names is not known.", "The operation that the path names is not known."
NOT_FOUND: list[tuple[HttpRequest, type[Exception], str]] = [
    (ask(body=b"Action=Take&Version=2010-05-08"), InvalidAction, "Could not find operation Take for version 2010-05-08"),
    (ask(body=b"Action=Make"), InvalidAction, "Could not find operation Make for version NO_VERSION_SPECIFIED"),
    (ask(body=b"Action=Make&Version=" + b"2" * 33), InvalidAction, f"Could not find operation Make for version {'2' * 32}"),
    (ask(body=b"Action=" + b"M" * 129), InvalidAction, f"Could not find operation {'M' * 128} for version NO_VERSION_SPECIFIED"),
    (ask(x_amz_target="Speak_1.Take"), UnknownOperation, TARGET),
    (ask("GET", x_amz_target="Speak_1.Make"), UnknownOperation, TARGET),
    (ask(path="/x", x_amz_target="Speak_1.Make"), UnknownOperation, TARGET),
    (ask(path="/service/Speak_1/operation/Take", **CBOR), UnknownOperation, PATH),
    (ask("GET", "/service/Speak_1/operation/Make", **CBOR), UnknownOperation, PATH),
    (ask(x_amz_target="Speak_1.Make", **CBOR), UnknownOperation, PATH),
    (ask("GET", "/things/x"), UnknownOperation, "No operation has this path."),
    (ask("GET", "/things/x", authorization=credential("asking")), UnknownOperation, "No operation has this path."),
    (ask("PUT", "/things/x", authorization=credential("resting")), UnknownOperation, "No operation has this path."),
    (ask(path="/x", body=b"Action=Make&Version=2010-05-08"), UnknownOperation, "No operation has this path."),
    (ask("GET"), MissingAction, "The request names no operation: it has neither Action nor X-Amz-Target."),
    (ask("PUT", query="Action=Make&Version=2010-05-08"), MissingAction,
     "The request names no operation: it has neither Action nor X-Amz-Target."),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "kind", "said"), NOT_FOUND)
def test_a_request_names_none(request_: HttpRequest, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as raised:
        made()[0].of(request_)
    assert str(raised.value) == said
    assert type(raised.value) is kind


def test_a_service_has_the_protocol_of_its_model() -> None:
    theirs = toys.model("json", BARE, SHAPES)
    operation = toys.operation(theirs, "Make", of=toys.service("query"))
    with pytest.raises(TypeError, match=r"^tests\.toys has the protocol query, which its model `toys` has not$"):
        Router([operation], lambda name: theirs)


SAID: list[tuple[HttpRequest, bytes, Callable[[bytes], Any], Any]] = [
    (ask(**CBOR), b"application/cbor", lambda body: cbor2.loads(body)["__type"], "UnknownOperationException"),
    (ask(x_amz_target=""), b"application/x-amz-json-1.1", lambda body: json.loads(body)["__type"], "UnknownOperationException"),
    (ask(), b"text/xml", lambda body: b"<Code>InvalidAction</Code>" in body, True),
    (ask(path="/x"), b"application/json", lambda body: json.loads(body)["__type"], "UnknownOperationException"),
]


@pytest.mark.parametrize(("request_", "kind", "read", "said"), SAID)
def test_errors_before_it_is_known_whose_they_are(request_: HttpRequest, kind: bytes, read: Callable[[bytes], Any], said: object) -> None:
    answer = services.failing(request_)(UnknownOperation("x"), "r")
    assert (answer.status, answer.kind, read(answer.body)) == (400, kind, said)


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (ask(authorization=credential("iam")), "iam"),
        (ask(authorization="AWS4-HMAC-SHA256 Credential=A/2/3/iam/aws4_request"), "iam"),
        (ask(authorization="AWS4-HMAC-SHA256 Credential=A/2/3/iam/aws4_request,X=a/b"), "iam"),
        (ask(authorization="AWS4-HMAC-SHA256 Credential=A/2/iam/aws4_request, X"), ""),
        (ask(authorization="AWS4-HMAC-SHA256 Credential=A/B/2/3/iam/aws4_request, X"), ""),
        (ask(authorization="Bearer x"), ""),
        (ask(query="X-Amz-Credential=A%2F2%2F3%2Fsts%2Faws4_request&x=y"), "sts"),
        (ask(query="X-Amz-Credential=A/2/3/sts/aws4_request"), "sts"),
        (ask(body=b"X-Amz-Credential=A/2/3/sts/aws4_request"), ""),
        (ask(), ""),
    ],
)
def test_the_service_of_a_signature(request_: HttpRequest, name: str) -> None:
    assert services.signing_name(request_) == name


def test_models_are_botocores_and_those_in_folders_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "toys" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps({"metadata": {"apiVersion": "9"}, "operations": {}, "shapes": {}}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    load = services.models()
    assert (load("toys").api_version, load("toys").service_name) == ("9", "toys")
    assert load("iam").api_version == "2010-05-08"
