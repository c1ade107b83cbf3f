"""What a record of the trail shows to have been used."""

import json

from sekisho.journal.analyzers import generating
from sekisho.operations import load
from sekisho.store.tables import AuditRecord

PROFILE = "arn:aws:iam::111122223333:instance-profile/web"
ROLE = "arn:aws:iam::111122223333:role/reader"


def test_each_action_is_of_the_resources_that_it_was_on() -> None:
    load()
    generating._actions.cache_clear()  # another test may have asked before
    named = json.dumps([{"ARN": PROFILE}, {"ARN": ROLE}])
    fields = {"event_source": "iam.amazonaws.com", "event_name": "AddRoleToInstanceProfile", "category": "Management"}
    record = AuditRecord(**fields, request="{}", resources=named)
    assert set(generating.uses(record)) == {("iam:AddRoleToInstanceProfile", PROFILE), ("iam:PassRole", ROLE)}
