"""Many writers at once: no quota is exceeded and no name given twice, on either database."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, of_size


def outcomes(calls: Sequence[Callable[[], object]]) -> Counter[str]:
    """How often each error code came, and `""` for success, of calls that run at the same time."""

    def outcome(call: Callable[[], object]) -> str:
        try:
            call()
        except SekishoError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(len(calls)) as pool:
        return Counter(pool.map(outcome, calls))


def test_two_keys_for_eight_who_want_one(house: House) -> None:
    house.call("CreateUser", user_name="u")
    assert outcomes([lambda: house.call("CreateAccessKey", user_name="u")] * 8) == {"": 2, "LimitExceeded": 6}
    assert len(house.call("ListAccessKeys", user_name="u").access_key_metadata) == 2


def test_one_role_for_eight_who_make_it(house: House) -> None:
    made = outcomes([lambda: house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)] * 8)
    assert made == {"": 1, "EntityAlreadyExists": 7}


def test_inline_policies_fill_their_quota_and_no_more(house: House) -> None:
    house.call("CreateUser", user_name="u")

    def put(name: str) -> object:
        return house.call("PutUserPolicy", user_name="u", policy_name=name, policy_document=of_size(1000))

    assert outcomes([partial(put, name) for name in "abcdef"]) == {"": 2, "LimitExceeded": 4}


def test_a_policy_is_deleted_or_attached_but_not_both(house: House) -> None:
    house.call("CreateUser", user_name="u")
    arn = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    attach = [lambda: house.call("AttachUserPolicy", user_name="u", policy_arn=arn)] * 3
    done = outcomes([*attach, lambda: house.call("DeletePolicy", policy_arn=arn)])
    attached = [policy.policy_arn for policy in house.call("ListAttachedUserPolicies", user_name="u").attached_policies]
    assert (attached, done) in (([arn], Counter({"": 3, "DeleteConflict": 1})), ([], Counter({"": 1, "NoSuchEntity": 3})))
