"""Central root access of an organization: who may enable, disable and see its features, told by fakes of its rows."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.iam.v1 import organization_features_pb2 as pb
from sekisho.calls import affiliation
from sekisho.errors import SekishoError
from sekisho.services.iam import organization_features as features
from sekisho.store.tables import OrganizationFeature, TrustedService
from tests.calls.fakes import ACCOUNT, NOW, OTHER

CREDENTIALS, SESSIONS = "RootCredentialsManagement", "RootSessions"


class Rows:
    """The rows about one organization, in the place of a session."""

    def __init__(self, *enabled: str, delegated: bool, trusted: bool) -> None:
        self.enabled, self.delegated, self.trusted = set(enabled), delegated, trusted
        self.deleted: list[Any] = []
        self.flushed = 0

    def get(self, table: Any, key: tuple[str, str]) -> Any:
        if table is TrustedService:
            return "row" if self.trusted and key == ("o-abc", "iam.amazonaws.com") else None
        assert (table, key[0]) == (OrganizationFeature, "r-1")
        return OrganizationFeature(root_id="r-1", feature=key[1]) if key[1] in self.enabled else None

    def scalar(self, query: Any) -> bool:
        asked = query.compile()
        assert (set(asked.params.values()), str(asked).count(" = ")) == ({"o-abc", ACCOUNT, "iam.amazonaws.com"}, 3)
        return self.delegated

    def scalars(self, query: Any) -> Any:
        asked = query.compile()
        assert (list(asked.params.values()), str(asked).count(" = ")) == (["r-1"], 1)
        return SimpleNamespace(all=lambda: sorted(self.enabled))

    def delete(self, row: OrganizationFeature) -> None:
        self.enabled.remove(row.feature)

    def flush(self) -> None:
        self.flushed += 1


def calling(
    monkeypatch: pytest.MonkeyPatch, *enabled: str, manager: str = ACCOUNT, delegated: bool = False, trusted: bool = True, all_: bool = True
) -> Any:
    organization = SimpleNamespace(
        id="o-abc", root_id="r-1", management_account_id=manager, feature_set="ALL" if all_ else "CONSOLIDATED_BILLING"
    )
    monkeypatch.setattr(affiliation, "get_alone", lambda _: organization if manager else None)
    rows = Rows(*enabled, delegated=delegated, trusted=trusted)
    added: list[Any] = []

    def add(row: OrganizationFeature) -> None:
        added.append(row)
        rows.enabled.add(row.feature)

    return SimpleNamespace(account_id=ACCOUNT, session=rows, now=NOW, add=add, added=added)


ENABLE: dict[str, tuple[Any, Any]] = {
    CREDENTIALS: (features.enable_organizations_root_credentials_management, pb.EnableOrganizationsRootCredentialsManagementResponse),
    SESSIONS: (features.enable_organizations_root_sessions, pb.EnableOrganizationsRootSessionsResponse),
}
DISABLE: dict[str, tuple[Any, Any]] = {
    CREDENTIALS: (features.disable_organizations_root_credentials_management, pb.DisableOrganizationsRootCredentialsManagementResponse),
    SESSIONS: (features.disable_organizations_root_sessions, pb.DisableOrganizationsRootSessionsResponse),
}
NO_REQUEST: Any = None


@pytest.mark.parametrize("feature", [CREDENTIALS, SESSIONS])
def test_a_feature_comes_and_goes_and_the_other_stays(monkeypatch: pytest.MonkeyPatch, feature: str) -> None:
    other = ({CREDENTIALS, SESSIONS} - {feature}).pop()
    call = calling(monkeypatch, other)
    enable, enabled = ENABLE[feature]
    disable, disabled = DISABLE[feature]
    for _ in range(2):
        assert enable(call, NO_REQUEST) == enabled(organization_id="o-abc", enabled_features=[CREDENTIALS, SESSIONS])
    (added,) = call.added
    assert (added.root_id, added.feature, added.enabled_at) == ("r-1", feature, NOW)
    shown = features.list_organizations_features(call, NO_REQUEST)
    assert shown == pb.ListOrganizationsFeaturesResponse(organization_id="o-abc", enabled_features=[CREDENTIALS, SESSIONS])
    for _ in range(2):
        assert disable(call, NO_REQUEST) == disabled(organization_id="o-abc", enabled_features=[other])
    assert call.session.flushed == 1


def said(call: Any, *, managed: bool = False) -> tuple[str, str]:
    """The sentence for those who may not; nothing for those who may."""
    try:
        features._find(call, managed=managed)
    except SekishoError as error:
        return error.code, error.message
    return "", ""


STRANGER = (
    "AccountNotManagementOrDelegatedAdministratorException",
    "Your account is not the management account or the delegated administrator of the organization.",
)
MANAGER_ALONE = ("CallerIsNotManagementAccountException", "Your account is not the management account of the organization.")


def test_who_has_a_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(calling(monkeypatch)) == said(calling(monkeypatch), managed=True) == ("", "")
    assert said(calling(monkeypatch, manager="")) == (
        "OrganizationNotFoundException",
        "Your account is not associated with an organization.",
    )
    assert said(calling(monkeypatch, manager=OTHER)) == said(calling(monkeypatch, manager=OTHER), managed=True) == STRANGER
    assert said(calling(monkeypatch, manager=OTHER, delegated=True)) == ("", "")
    assert said(calling(monkeypatch, manager=OTHER, delegated=True), managed=True) == MANAGER_ALONE
    assert said(calling(monkeypatch, all_=False)) == (
        "OrganizationNotInAllFeaturesModeException",
        "Your organization does not have all features enabled.",
    )
    assert said(calling(monkeypatch, trusted=False)) == (
        "ServiceAccessNotEnabledException",
        "Trusted access is not enabled for IAM in Organizations.",
    )
    delegated = calling(monkeypatch, CREDENTIALS, manager=OTHER, delegated=True)
    for enable, _ in ENABLE.values():
        with pytest.raises(SekishoError, match="is not the management account of the organization"):
            enable(delegated, NO_REQUEST)
    disable, disabled = DISABLE[CREDENTIALS]
    assert disable(delegated, NO_REQUEST) == disabled(organization_id="o-abc", enabled_features=[])
