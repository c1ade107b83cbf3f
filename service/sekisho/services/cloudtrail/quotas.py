"""CloudTrail's quotas. Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html"""

TRAILS = 5
"""Of an account, in a region; its organization's, which are the management account's, count there."""

TAGS = 50
LISTED = 20
"""Resources whose tags one call lists."""

EVENT_DATA_STORES = 10
INGESTIONS = 100
"""Times that an event data store can begin to take events in; this one is ours, and no quota of AWS's."""

ADMINISTRATORS = 3
"""Accounts to which an organization delegates CloudTrail."""

QUERIES = 10
"""Of an account, that wait or are under way."""
