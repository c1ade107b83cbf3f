"""Questions about what policies grant, answered with a proof: z3 and languages, in one process, bounded."""

from sekisho.analysis.solver.exposure import Control, Grant, Zone, external, public
from sekisho.analysis.solver.inside import inside
from sekisho.analysis.solver.questions import Access, Answer, PolicyType, Verdict, granted, new_access
from sekisho.analysis.solver.witnesses import Witness

__all__ = [
    "Access",
    "Answer",
    "Control",
    "Grant",
    "PolicyType",
    "Verdict",
    "Witness",
    "Zone",
    "external",
    "granted",
    "inside",
    "new_access",
    "public",
]
