"""Passwords, service-specific credentials and providers of users: what the longer tests of each pass by."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.calls import backing_off
from sekisho.credentials import passwords, signing_keys
from sekisho.errors import SekishoError
from sekisho.services.iam import login_profiles
from sekisho.services.iam.quotas import QUOTAS
from sekisho.store.tables import Authenticator, Issuer, IssuerKey, IssuerPrivateKey, ServiceCredential, SigningCertificate
from sekisho.store.tables.mfa_devices import HARDWARE
from tests import clock
from tests.calls.fakes import NOW
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import pki
from tests.services.iam.mfa import phone
from tests.services.iam.test_saml_providers import metadata

GIT, BEARER = "codecommit.amazonaws.com", "bedrock.amazonaws.com"


class Tries:
    """A database in which tries of a password are counted, and what was metered."""

    def __init__(self, patched: pytest.MonkeyPatch, *, waiting: bool, fits: bool) -> None:
        self.steps: list[Any] = []
        patched.setattr(backing_off, "is_waiting", lambda row, now: (row, now) == (("AIDA", "password"), NOW) and waiting)
        patched.setattr(backing_off, "owner_failed", lambda _, *given: self.steps.append(("failed", *given)))
        patched.setattr(backing_off, "owner_proved", lambda _, *given: self.steps.append(("proved", *given)))
        patched.setattr(backing_off, "meter", lambda *given: self.steps.append(given))
        patched.setattr(passwords, "fits", lambda *given: given == ("old", "hash") and fits)
        session = SimpleNamespace(get=lambda table, key: key)

        @contextmanager
        def write(accounts: Any, *, deadline: float) -> Any:
            assert (accounts, deadline) == (("111",), 5.0)
            yield session

        self.call: Any = SimpleNamespace(
            account_id="111", now=NOW, deadline=5.0, node=SimpleNamespace(primary=SimpleNamespace(write=write))
        )


@pytest.mark.parametrize(
    ("waiting", "fits", "right", "steps"),
    [
        (True, True, False, [("password", "waiting")]),
        (False, False, False, [("failed", "AIDA", "password", NOW), ("password", "wrong")]),
        (False, True, True, [("failed", "AIDA", "password", NOW), ("proved", "AIDA", "password")]),
    ],
)
def test_an_old_password_counts_as_wrong_until_it_is_right(
    monkeypatch: pytest.MonkeyPatch, waiting: bool, fits: bool, right: bool, steps: list[Any]
) -> None:
    tries = Tries(monkeypatch, waiting=waiting, fits=fits)
    assert login_profiles._is_old(tries.call, "AIDA", "old", "hash") is right
    assert tries.steps == steps


@pytest.mark.parametrize(
    ("rule", "ruled_out"),
    [(None, []), (SimpleNamespace(password_reuse_prevention=None), []), (SimpleNamespace(password_reuse_prevention=2), ["h9", "h8"])],
)
def test_a_new_password_is_held_against_as_many_old_ones_as_the_policy_says(
    monkeypatch: pytest.MonkeyPatch, rule: Any, ruled_out: list[str]
) -> None:
    rows = [SimpleNamespace(number=number, password_hash=f"h{number}") for number in (9, 8, 7)]
    held: list[tuple[str, list[str]]] = []

    def fits_any(password: str, hashes: list[str]) -> bool:
        held.append((password, hashes))
        return password == "used"

    monkeypatch.setattr(passwords, "fits_any", fits_any)
    monkeypatch.setattr(passwords, "hashed", lambda password: f"hash of {password}")
    monkeypatch.setattr(login_profiles, "_check", lambda *_: rule)
    monkeypatch.setattr(login_profiles, "_history", lambda *_: rows)
    monkeypatch.setattr(login_profiles, "_is_old", lambda call, user_id, old, old_hash: (user_id, old, old_hash) == ("AIDA", "old", "hash"))
    call: Any = None
    user: Any = SimpleNamespace(id="AIDA")

    def prepared(new: str, **old: str) -> login_profiles.Prepared:
        return login_profiles._hashing(call, user, new, **old)()

    assert prepared("new") == login_profiles.Prepared("hash of new", 9, reused=False, knows_old=True)
    assert prepared("used") == login_profiles.Prepared("", 9, reused=True, knows_old=True)
    assert prepared("new", old="old", old_hash="hash") == login_profiles.Prepared("hash of new", 9)
    assert held == [("new", ruled_out), ("used", ruled_out), ("new", ruled_out)]
    assert prepared("new", old="wrong", old_hash="hash") == login_profiles.Prepared("", 9, reused=False, knows_old=False)
    rows.clear()
    assert prepared("new").newest == 0


def test_passwords_of_a_policy_that_rules_out_none(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="ann")
    password = "Correct horse 7"
    house.call("UpdateAccountPasswordPolicy", minimum_password_length=12, password_reuse_prevention=1, max_password_age=9)
    shown = house.call("GetAccountPasswordPolicy").password_policy
    assert (shown.password_reuse_prevention, shown.HasField("hard_expiry"), shown.max_password_age, shown.minimum_password_length) == (
        1,
        False,
        9,
        12,
    )
    house.call("CreateLoginProfile", user_name="ann", password=password)
    assert refused("UpdateLoginProfile", user_name="ann", password=password)[0] == "PasswordPolicyViolation"
    house.call("UpdateAccountPasswordPolicy", hard_expiry=False)
    house.call("UpdateLoginProfile", user_name="ann", password=password)
    house.call("DeleteAccountPasswordPolicy")
    house.call("UpdateLoginProfile", user_name="ann", password=password)
    house.call("UpdateAccountPasswordPolicy", hard_expiry=False)
    shown = house.call("GetAccountPasswordPolicy").password_policy
    assert (shown.HasField("password_reuse_prevention"), shown.HasField("hard_expiry"), shown.require_numbers) == (False, True, False)
    said = ("InvalidInput", "MaxSigninSessionDuration is not supported: users do not sign in to a console here.")
    for name in ("CreateLoginProfile", "UpdateLoginProfile"):
        assert refused(name, user_name="ann", password=password, max_signin_session_duration=3600) == said
    said = ("NoSuchEntity", "Login Profile for User root cannot be found.")
    assert (refused("GetLoginProfile")[0], refused("DeleteLoginProfile")[0]) == (said[0], said[0])


def test_a_policy_that_changed_while_a_password_was_hashed_holds(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    house.call("CreateUser", user_name="ann")
    hashed = passwords.hashed

    def interrupted(password: str) -> str:
        house.call("UpdateAccountPasswordPolicy", minimum_password_length=20)
        return hashed(password)

    monkeypatch.setattr(passwords, "hashed", interrupted)
    said = ("PasswordPolicyViolation", "Password should have a minimum length of 20")
    assert refused("CreateLoginProfile", user_name="ann", password="Correct horse 7") == said


def test_an_issuer_comes_back_with_the_keys_that_it_had(house: House) -> None:
    def keys() -> dict[str, str]:
        with house.node.database.read() as session:
            (issuer,) = session.query(Issuer).filter_by(account_id=house.account_id)
            rows = session.query(IssuerKey).filter_by(account_id=house.account_id).all()
            private = session.query(IssuerPrivateKey).filter_by(account_id=house.account_id).all()
        assert {row.issuer_id for row in rows} == {issuer.id} == {issuer.url.rpartition("/")[2]}
        assert {row.id for row in private} == {row.id for row in rows}
        assert issuer.disabled_at is None
        return {row.algorithm: row.id for row in rows}

    issuer = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    first = keys()
    assert first.keys() == set(signing_keys.ALGORITHMS)
    house.call("DisableOutboundWebIdentityFederation")
    with house.node.database.write((house.account_id,)) as session:
        session.delete(session.get_one(IssuerPrivateKey, first["ES384"]))
        session.flush()
        session.delete(session.get_one(IssuerKey, first["ES384"]))
    house.node = replace(house.node, issuer_url="https://moved.example.com")
    again = house.call("EnableOutboundWebIdentityFederation").issuer_identifier
    assert again == issuer.replace("auth.example.com", "moved.example.com")
    assert keys() == first | {"ES384": keys()["ES384"]}
    assert keys()["ES384"] != first["ES384"]


def test_the_name_of_a_service_linked_role_has_64_characters_at_most(house: House, refused: Refused) -> None:
    fields: dict[str, Any] = {"aws_service_name": "some_order-desk.example.com"}
    room = 64 - len("AWSServiceRoleForSomeOrderDesk_")
    made = house.call("CreateServiceLinkedRole", custom_suffix="x" * room, **fields).role
    assert made.role_name == f"AWSServiceRoleForSomeOrderDesk_{'x' * room}"
    got = house.call("GetRole", role_name=made.role_name).role
    assert (got.max_session_duration, got.HasField("description")) == (3600, False)
    said = ("InvalidInput", f"The name {made.role_name}x of the role would have more than 64 characters.")
    assert refused("CreateServiceLinkedRole", custom_suffix="x" * (room + 1), **fields) == said
    denied = refused("GetServiceLinkedRoleDeletionStatus", house.user("ann"), deletion_task_id="task/none")
    assert denied[0] == "AccessDenied"


def test_credentials_of_both_kinds_in_lists(house: House, stopped_clock: datetime) -> None:
    house.call("CreateUser", user_name="ann")
    named: dict[str, Any] = {"user_name": "ann"}
    kinds: list[tuple[str, dict[str, Any]]] = [(GIT, {}), (BEARER, {"credential_age_days": 1}), (BEARER, {})]
    made = [
        house.call("CreateServiceSpecificCredential", service_name=service, **named, **age).service_specific_credential
        for service, age in kinds
    ]
    assert [one.HasField("expiration_date") for one in made] == [False, True, False]
    ids = [one.service_specific_credential_id for one in made]

    def listed(**fields: Any) -> dict[str, Any]:
        found = house.call("ListServiceSpecificCredentials", **fields).service_specific_credentials
        return {one.service_specific_credential_id: one for one in found}

    shown = listed(**named)
    assert [shown[id_].status for id_ in ids] == ["Active"] * 3
    git, bearer = shown[ids[0]], shown[ids[1]]
    assert (git.service_user_name, git.HasField("service_credential_alias"), git.user_name) == (made[0].service_user_name, False, "ann")
    assert (bearer.service_credential_alias, bearer.HasField("service_user_name")) == (made[1].service_credential_alias, False)
    assert (bearer.service_name, bearer.expiration_date, bearer.create_date) == (BEARER, made[1].expiration_date, made[1].create_date)
    assert set(listed(service_name=GIT, **named)) == {ids[0]}
    assert set(listed(service_name=BEARER, all_users=True)) == set(ids[1:])
    with house.node.database.write((house.account_id,)) as session:
        session.get_one(ServiceCredential, ids[1]).expires_at = clock.now()
        session.get_one(ServiceCredential, ids[2]).expires_at = clock.now() + timedelta(seconds=1)
    shown = listed(**named)
    assert [shown[id_].status for id_ in ids] == ["Active", "Expired", "Active"]
    for made_before, id_, prefix in zip(made, ids, ("", "ABSK", "ABSK"), strict=True):
        fields: dict[str, Any] = {"service_specific_credential_id": id_} | named
        again = house.call("ResetServiceSpecificCredential", **fields).service_specific_credential
        assert (again.service_user_name, again.service_credential_alias) == (
            made_before.service_user_name,
            made_before.service_credential_alias,
        )
        secret = again.service_credential_secret or again.service_password
        assert (secret[: len(prefix)], len(secret) - len(prefix)) == (prefix, 44)
        assert (again.user_name, again.service_specific_credential_id, again.create_date) == ("ann", id_, made_before.create_date)


def test_a_key_of_another_provider_stays(house: House, refused: Refused) -> None:
    arns = []
    for name in ("one", "two"):
        made = house.call("CreateSAMLProvider", name=name, saml_metadata_document=metadata(), add_private_key=pki.made("saml").private_key)
        arns.append(made.saml_provider_arn)
    one, two = (house.call("GetSAMLProvider", saml_provider_arn=arn).private_key_list[0] for arn in arns)
    said = ("InvalidInput", f"The SAML provider has no private key with id {two.key_id}.")
    assert refused("UpdateSAMLProvider", saml_provider_arn=arns[0], remove_private_key=two.key_id) == said
    assert one.timestamp.nanos == 0
    assert [row.arn for row in house.call("ListSAMLProviders").saml_provider_list] == arns
    required: dict[str, Any] = {"assertion_encryption_mode": "Required"}
    for fields in (required, {}):
        house.call("UpdateSAMLProvider", saml_provider_arn=arns[0], **fields)
        assert house.call("GetSAMLProvider", saml_provider_arn=arns[0]).assertion_encryption_mode == "Required"
    said = ("InvalidInput", "ContextProvider and IdentityCenterInstanceArn are not supported: there is no identity center here.")
    assert (
        refused("CreateSAMLProvider", name="idp", saml_metadata_document=metadata(), context_provider={"subject_source_key": "s"}) == said
    )


def test_whoever_has_a_device_or_a_certificate_is_reported_so(house: House, stopped_clock: datetime) -> None:
    for name in ("ann", "bob", "cat"):
        house.call("CreateUser", user_name=name)
    ids = {name: house.call("GetUser", user_name=name).user.user_id for name in ("ann", "bob", "cat")}
    phone(house).set(of_root=True)
    phone(house, "spare")
    with house.node.database.write((house.account_id,)) as session:
        columns: dict[str, Any] = {"account_id": house.account_id, "created_at": clock.now()}
        session.add(Authenticator(id=f"{house.account_id}-b", owner_id=ids["bob"], kind=HARDWARE, serial="hardware-of-bob", **columns))
        session.add(Authenticator(id=f"{house.account_id}-n", kind=HARDWARE, serial="hardware-of-nobody", **columns))
        session.add(SigningCertificate(id=f"{house.account_id}-c", owner_id=ids["cat"], fingerprint="f", body="b", **columns))
    house.call("GenerateCredentialReport")
    lines = [line.split(",") for line in house.call("GetCredentialReport").content.decode().splitlines()[1:]]
    assert {line[0]: (line[7], line[18]) for line in lines} == {
        "<root_account>": ("true", "false"),
        "ann": ("false", "false"),
        "bob": ("true", "false"),
        "cat": ("false", "true"),
    }
    summary = house.call("GetAccountSummary").summary_map
    assert (summary["MFADevices"], summary["MFADevicesInUse"], summary["AccountMFAEnabled"], summary["AccountAccessKeysPresent"]) == (
        4,
        2,
        1,
        1,
    )
    assert summary["AccountSigningCertificatesPresent"] == 0


def test_tags_at_birth_count_towards_the_quota(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUOTAS, "TagsPerResourceQuota", 1)
    tags = [{"key": key, "value": "v"} for key in "ab"]
    said = ("LimitExceeded", "The number of tags has reached the maximum limit.")
    assert refused("CreateUser", user_name="ann", tags=tags) == said
    assert len(house.call("CreateUser", user_name="ann", tags=tags[:1]).user.tags) == 1
    with pytest.raises(SekishoError, match="The number of tags"):
        house.call("TagUser", user_name="ann", tags=tags[1:])
