"""What records of organizations, issuers and providers say."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import policy
from sekisho.memory import loaders, providers
from sekisho.store import db
from sekisho.store.tables import (
    Account,
    Administrator,
    EventDataStore,
    Issuer,
    IssuerKey,
    IssuerPrivateKey,
    Member,
    OpenIdConnectProvider,
    Organization,
    OrganizationFeature,
    OrganizationPolicy,
    PolicyType,
    ResourceService,
    SamlPrivateKey,
    SamlProvider,
    Target,
    Trail,
    Unit,
)
from sekisho.world import (
    AccountRecord,
    ControlPolicyRecord,
    IssuerRecord,
    OidcProviderRecord,
    Record,
    SamlProviderRecord,
    SigningKey,
    TagPolicyRecord,
    UnitRecord,
)
from sekisho.world.control_policies import FULL_ACCESS, FULL_ACCESS_RECORD, RCP_FULL_ACCESS
from tests.memory import tables
from tests.memory.tables import ACCOUNT, NOW, OTHER, named
from tests.services.iam.test_saml_providers import DER, metadata

ALONE = "777788889999"
OIDC, SAML, BROKEN = "A" * 32, "B" * 32, "C" * 32
LATER = NOW + timedelta(days=1)
SCP, RCP, TAGS = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "a:b", "Resource": "*"}})
DATA = json.dumps([{"ReadWriteType": "All", "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}])
MANAGEMENT = json.dumps([{"ReadWriteType": "All", "DataResources": []}])


def advanced(category: str) -> str:
    """An advanced selector of events."""
    return json.dumps([{"FieldSelectors": [{"Field": "eventCategory", "Equals": [category]}]}])


def target(target_id: str, policy_id: str, type_: str, minutes: int = 0) -> Target:
    """A policy on a target, so long after the beginning."""
    return Target(target_id=target_id, policy_id=policy_id, organization_id="o-1", type=type_, created_at=NOW + timedelta(minutes=minutes))


def organization_policy(id_: str, type_: str, content: str = DOCUMENT) -> OrganizationPolicy:
    """A policy of the organization."""
    return OrganizationPolicy(
        id=id_, organization_id="o-1", type=type_, name=f"n-{id_}", description="", content=content, created_at=NOW, updated_at=NOW
    )


def trail(id_: str, account_id: str, organization_id: str | None, *, basic: str | None = None, is_logging: bool = True) -> Trail:
    """A trail with basic selectors."""
    flags = (
        "include_global_service_events",
        "is_multi_region_trail",
        "is_organization_trail",
        "log_file_validation_enabled",
    )
    return Trail(
        id=id_,
        account_id=account_id,
        name=id_,
        home_region="us-east-1",
        organization_id=organization_id,
        s3_bucket_name="b",
        event_selectors=basic,
        created_at=NOW,
        is_logging=is_logging,
        **dict.fromkeys(flags, False),
    )


def store(id_: str, account_id: str, organization_id: str | None, selectors: str, status: str = "ENABLED") -> EventDataStore:
    """An event data store with advanced selectors."""
    return EventDataStore(
        id=id_,
        account_id=account_id,
        name=id_,
        organization_id=organization_id,
        status=status,
        multi_region_enabled=True,
        termination_protection_enabled=False,
        retention_period=7,
        billing_mode="x",
        advanced_event_selectors=selectors,
        ingestion="[]",
        created_at=NOW,
        updated_at=NOW,
    )


def issued(id_: str, issuer_id: str, days: int) -> IssuerKey:
    """The public key of a pair, which begins so many days after the beginning."""
    return IssuerKey(
        id=id_, issuer_id=issuer_id, account_id=ACCOUNT, algorithm="ES384", public_key=f"jwk {id_}", begins_at=NOW + timedelta(days=days)
    )


def saml(id_: str, name: str, document: str, mode: str | None) -> Any:
    """A SAML provider."""
    return named(SamlProvider, id_, name, document=document, issuer=f"https://{name}", valid_until=LATER, encryption_mode=mode)


def private(id_: str, minutes: int) -> SamlPrivateKey:
    """A private key of the SAML provider."""
    return SamlPrivateKey(id=id_, provider_id=SAML, private_key=f"key {id_}".encode(), created_at=NOW + timedelta(minutes=minutes))


ROWS: list[Any] = [
    Account(id=ALONE, name="alone", status="SUSPENDED", created_at=NOW),
    Organization(id="o-1", management_account_id=ACCOUNT, root_id="r-1", feature_set="ALL", created_at=NOW),
    Unit(id="r-1", organization_id="o-1", parent_id=None, name="Root", created_at=NOW),
    Unit(id="ou-1", organization_id="o-1", parent_id="r-1", name="unit", created_at=NOW),
    *(
        Member(account_id=account, organization_id="o-1", unit_id=unit, joined_method="x", joined_at=NOW)
        for account, unit in ((ACCOUNT, "r-1"), (OTHER, "ou-1"))
    ),
    PolicyType(root_id="r-1", type=SCP),
    PolicyType(root_id="r-1", type=RCP),
    OrganizationFeature(root_id="r-1", feature="RootSessions", enabled_at=NOW),
    Administrator(account_id=OTHER, service_principal="iam.amazonaws.com", organization_id="o-1", enabled_at=NOW),
    organization_policy("p-scp", SCP),
    organization_policy("p-rcp", RCP),
    organization_policy("p-tags", TAGS, "{}"),
    organization_policy("p-other", "BACKUP_POLICY", "{}"),
    target(OTHER, "p-scp", SCP, 1),
    target(OTHER, FULL_ACCESS, SCP),
    target(OTHER, "p-rcp", RCP),
    target(OTHER, RCP_FULL_ACCESS, RCP),
    target(OTHER, "p-tags", TAGS),
    target(OTHER, "p-other", "BACKUP_POLICY"),
    target("r-1", FULL_ACCESS, SCP),
    target("r-1", "p-tags", TAGS),
    target("ou-1", "p-rcp", RCP),
    trail("own", ACCOUNT, None, basic=DATA),
    trail("stopped", ACCOUNT, None, basic=DATA, is_logging=False),
    trail("all", ACCOUNT, "o-1", basic=DATA),
    trail("management", ACCOUNT, None, basic=MANAGEMENT),
    trail("not its own any more", OTHER, "o-1", basic=DATA),
    store("lake", ACCOUNT, "o-1", advanced("Data")),
    store("pond", ALONE, None, advanced("Data")),
    store("dry", ALONE, None, advanced("Data"), "STOPPED_INGESTION"),
    store("dull", ALONE, None, advanced("Management")),
    ResourceService(account_id=OTHER, service="shop"),
    ResourceService(account_id=OTHER, service="till"),
    ResourceService(account_id=ALONE, service="orders"),
    Issuer(id="iss-1", account_id=ACCOUNT, url="https://a/1", enabled_at=NOW, disabled_at=None),
    Issuer(id="iss-2", account_id=ALONE, url="https://a/2", enabled_at=NOW, disabled_at=LATER),
    *(issued(id_, "iss-1", days) for id_, days in (("kid-b", 2), ("kid-c", 1), ("kid-a", 2))),
    issued("kid-z", "iss-2", 0),
    IssuerPrivateKey(id="kid-c", account_id=ACCOUNT, private_key=b"sealed c"),
    IssuerPrivateKey(id="kid-z", account_id=ACCOUNT, private_key=b"sealed z"),
    named(OpenIdConnectProvider, OIDC, "login.example.com/x", client_ids=["b", "a"], thumbprints=["0" * 40]),
    saml(SAML, "idp", metadata(), "Required"),
    saml(BROKEN, "broken", "<no metadata>", None),
    *(private(id_, minutes) for id_, minutes in (("k2", 1), ("k3", 0), ("k1", 1))),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[db.Database]:
    """The rows, which no test here changes."""
    with tables.database(tmp_path_factory.mktemp("organizations")) as made:
        tables.write(made, *ROWS)
        yield made


@pytest.fixture
def session(database: db.Database) -> Iterator[Session]:
    with database.read() as made:
        yield made


def attached(name: str, type_: str) -> policy.Attached:
    """A control policy of the organization."""
    return policy.Attached(policy.compiled(DOCUMENT), arn=f"arn:aws:organizations::{ACCOUNT}:policy/o-1/{type_}/{name}", name=f"n-{name}")


def pair(id_: str, days: int, sealed: str = "") -> SigningKey:
    """A pair of an issuer."""
    return SigningKey(id_, "ES384", f"jwk {id_}", b64encode(sealed.encode()).decode(), NOW + timedelta(days=days))


BASIC, ADVANCED = ("basic", DATA), ("advanced", advanced("Data"))
KEYS = tuple((id_, b64encode(f"key {id_}".encode()).decode()) for id_ in ("k3", "k1", "k2"))
AT = f"arn:aws:iam::{ACCOUNT}:"


def records() -> dict[str, Record | None]:
    """By id; made anew, since what a document was compiled to may have been forgotten since the tests were collected."""
    return {
        ACCOUNT: AccountRecord(
            ACCOUNT, "ACTIVE", "r-1", issuer_id="iss-1", data_selectors=(BASIC,), organization_data_selectors=(BASIC, ADVANCED)
        ),
        OTHER: AccountRecord(
            OTHER,
            "ACTIVE",
            "ou-1",
            (FULL_ACCESS, "p-scp"),
            ("p-rcp",),
            frozenset({"iam.amazonaws.com"}),
            ("p-tags",),
            data_selectors=(BASIC,),
            registers=frozenset({"shop", "till"}),
        ),
        ALONE: AccountRecord(ALONE, "SUSPENDED", issuer_id="iss-2", data_selectors=(ADVANCED,), registers=frozenset({"orders"})),
        "r-1": UnitRecord("r-1", "o-1", None, (FULL_ACCESS,), (), ACCOUNT, frozenset({SCP, RCP}), frozenset({"RootSessions"}), ("p-tags",)),
        "ou-1": UnitRecord("ou-1", "o-1", "r-1", (), ("p-rcp",)),
        "ou-none": None,
        "p-scp": ControlPolicyRecord("p-scp", attached("p-scp", "service_control_policy")),
        "p-rcp": ControlPolicyRecord("p-rcp", attached("p-rcp", "resource_control_policy")),
        "p-tags": TagPolicyRecord("p-tags", "{}"),
        "p-other": None,
        FULL_ACCESS: FULL_ACCESS_RECORD,
        "iss-1": IssuerRecord("iss-1", ACCOUNT, "https://a/1", None, (pair("kid-c", 1, "sealed c"), pair("kid-a", 2), pair("kid-b", 2))),
        "iss-2": IssuerRecord("iss-2", ALONE, "https://a/2", LATER, (pair("kid-z", 0, "sealed z"),)),
        OIDC: OidcProviderRecord(OIDC, ACCOUNT, AT + "oidc-provider/login.example.com/x", "login.example.com/x", ("b", "a"), ("0" * 40,)),
        SAML: SamlProviderRecord(
            SAML, ACCOUNT, AT + "saml-provider/idp", "https://idp", (b64encode(DER).decode(),), LATER, "Required", KEYS
        ),
        BROKEN: SamlProviderRecord(BROKEN, ACCOUNT, AT + "saml-provider/broken", "https://broken", (), LATER),
        "D" * 32: None,
    }


@pytest.mark.parametrize("id_", records())
def test_a_record_says_what_its_rows_do(session: Session, id_: str) -> None:
    assert loaders.load_record(session, id_, lambda _: "") == records()[id_]


def test_private_keys_are_only_for_nodes_that_may_read_them(session: Session) -> None:
    issuer, provider = (loaders.load_record(session, id_, lambda _: "", private=False) for id_ in ("iss-1", SAML))
    assert isinstance(issuer, IssuerRecord)
    assert [key.sealed for key in issuer.keys] == ["", "", ""]
    assert isinstance(provider, SamlProviderRecord)
    assert provider.private_keys == ()


def test_the_id_of_a_provider() -> None:
    for text, is_id in ((OIDC, True), ("0123456789ABCDEF" * 2, True), ("A" * 31, False), ("A" * 33, False), ("a" * 32, False)):
        assert providers.is_id(text) is is_id
