"""The campaign notices faults that the solver once had, each by a seed of it that does: who changes a generator looks for another."""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Context

import pytest

from sekisho.analysis.solver import exposure, languages, search, shapes, subjects
from sekisho.analysis.solver.languages import Language
from sekisho.policy.patterns import ANY
from sekisho.policy.variables import Part, Variable
from tests.analysis.solver import campaign, strangers
from tests.analysis.solver.documents import policy, to


def _in_the_case_that_is_written(patch: pytest.MonkeyPatch) -> None:
    def relaxed(_shape: str, parts: Iterable[Part]) -> Language:
        return Language([shapes.plain([ANY if isinstance(part, Variable) else part for part in parts])])

    patch.setattr(shapes, "relaxed", relaxed)


def _rounded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(search, "_EXACT", Context(prec=28))


def _without_colons_in_paths(patch: pytest.MonkeyPatch) -> None:
    path = (languages.Item(languages.NO_COLON, True), languages.one("/"))
    patch.setattr(subjects, "_PATH", path)
    for kind in subjects.KINDS:
        patch.setitem(subjects.SHAPE, kind, subjects._of_kind(kind))


def _written_as_ipv6(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exposure, "_is_narrow", lambda _first, mask: mask.bit_count() - 1 >= 32)


def _over_the_account(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exposure, "_TEXT_OF_ACCOUNT", exposure._ARN_OF_ACCOUNT)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[int], str], int]] = {
    "what stands before a variable in the case that is written": (_in_the_case_that_is_written, campaign.difference, 1847),
    "numbers of more than 28 digits rounded": (_rounded, campaign.difference, 621),
    "no colon in a principal's path": (_without_colons_in_paths, campaign.difference, 413),
    "::ffff:0:0/96 as somebody's range": (_written_as_ipv6, strangers.difference, 400),
    "a wildcard of StringLike before an account": (_over_the_account, strangers.difference, 60),
}


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Patches, with nothing of them remembered."""
    with pytest.MonkeyPatch.context() as made:
        subjects.rules.cache_clear()
        yield made
    subjects.rules.cache_clear()


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_noticed(name: str, patch: pytest.MonkeyPatch) -> None:
    plant, difference, seed = PLANTED[name]
    assert difference(seed) == ""
    subjects.rules.cache_clear()
    plant(patch)
    assert re.search("no more access, it says|not public, it says", difference(seed))


def test_a_document_by_hand_is_noticed_whatever_bucket_it_names(patch: pytest.MonkeyPatch) -> None:
    text = policy(to("*", resource="arn:aws:s3:::b/*", condition={"StringLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:orders"}}))
    assert strangers.difference_of(text) == ""
    _over_the_account(patch)
    assert strangers.difference_of(text).startswith("not public, it says")
