"""Identity providers as requests describe them, without a database."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.iam.v1 import saml_providers_pb2 as pb
from sekisho.credentials import saml_metadata
from sekisho.credentials.saml_metadata import MalformedMetadata, Metadata
from sekisho.errors import SekishoError
from sekisho.services.iam import open_id_connect_providers as oidc
from sekisho.services.iam import provider_arns, saml_providers
from sekisho.store.tables import OpenIdConnectProvider, SamlProvider
from tests.calls.fakes import ACCOUNT, NOW
from tests.services.iam import pki

SECOND = timedelta(seconds=1)
ARN = f"arn:aws:iam::{ACCOUNT}"


def said(function: Any, *given: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        function(*given)
    return caught.value.code, caught.value.message


def read(**fields: Any) -> Metadata | None:
    call: Any = SimpleNamespace(now=NOW)
    found: Metadata | None = saml_providers._read(call, pb.CreateSAMLProviderRequest(**fields))()
    return found


def test_metadata_are_good_until_the_moment_that_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"end": Metadata("i", (), NOW), "good": Metadata("i", (), NOW + SECOND), "endless": Metadata("i", (), None)}

    def found(text: str) -> Metadata:
        if text not in texts:
            raise MalformedMetadata
        return texts[text]

    monkeypatch.setattr(saml_metadata, "read", found)
    assert read(saml_metadata_document="good") is texts["good"]
    assert read(saml_metadata_document="endless") is texts["endless"]
    assert read() is None
    assert said(lambda: read(saml_metadata_document="end")) == ("InvalidInput", "The metadata document has expired.")
    assert said(lambda: read(saml_metadata_document="none")) == ("InvalidInput", "Could not parse metadata")
    assert read(saml_metadata_document="good", add_private_key=pki.made("saml").private_key) is texts["good"]
    sentence = "Unable to parse private key. Please ensure the key is an RSA or EC key in PEM format and is not encrypted."
    assert said(lambda: read(saml_metadata_document="good", add_private_key="none")) == ("InvalidInput", sentence)
    assert saml_providers._valid_until(texts["good"], NOW) == NOW + SECOND
    assert saml_providers._valid_until(texts["endless"], NOW) == NOW + timedelta(days=36_525)


def test_thumbprints_are_five_at_most_of_forty_digits() -> None:
    assert oidc._thumbprints(["0aF9" * 10] * 5) == ["0aF9" * 10] * 5
    assert oidc._thumbprints([]) == []
    assert said(oidc._thumbprints, ["0aF9" * 10] * 6) == ("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    for wrong in ("a" * 39, "a" * 41, "g" * 40, ""):
        assert said(oidc._thumbprints, ["a" * 40, wrong]) == ("InvalidInput", "A thumbprint must consist of 40 hexadecimal digits.")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://A.B", "a.b"),
        ("https://a.b/C/D", "a.b/C/D"),
        ("https://word/", "word/"),
        ("https://word", None),
        ("http://a.b", None),
        ("a.b", None),
        ("https://a.b:1", None),
    ],
)
def test_the_name_of_an_issuer(url: str, name: str | None) -> None:
    if name is None:
        assert said(oidc._name, url) == ("ValidationError", "Invalid Open ID Connect Provider URL")
    else:
        assert oidc._name(url) == name


@pytest.mark.parametrize(
    ("table", "kind", "sentence"),
    [
        (OpenIdConnectProvider, "oidc-provider", "OpenIDConnect Provider not found for arn {}"),
        (SamlProvider, "saml-provider", "Manifest not found for arn {}"),
    ],
)
def test_a_provider_by_its_arn(table: Any, kind: str, sentence: str) -> None:
    rows = {f"{ARN}:{kind}/there": "row"}
    call: Any = SimpleNamespace(row=lambda _, named: rows.get(named), entity=lambda kind, named: None)
    assert provider_arns.find(call, table, f"{ARN}:{kind}/there") == "row"
    none = f"{ARN}:{kind}/none"
    assert said(provider_arns.find, call, table, none) == ("NoSuchEntity", sentence.format(none))
    for wrong in (f"{ARN}:user/ann", f"{ARN}:root", "arn:aws:s3:::bucket"):
        assert said(provider_arns.find, call, table, wrong) == ("InvalidInput", f"ARN {wrong} is not valid.")
    assert said(provider_arns.find, call, table, "none")[0] == "InvalidInput"
