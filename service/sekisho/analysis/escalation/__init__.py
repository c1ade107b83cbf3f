"""Paths to more permissions than a principal was given."""

from sekisho.analysis.escalation.across import find_across
from sekisho.analysis.escalation.asking import Grant, Place
from sekisho.analysis.escalation.estate import Estate, Managed
from sekisho.analysis.escalation.freeing import Realm
from sekisho.analysis.escalation.paths import Found, Hop, Path
from sekisho.analysis.escalation.registered import SERVICES
from sekisho.analysis.escalation.rules import PUBLISHED, RULES, Rule, Way
from sekisho.analysis.escalation.search import find

__all__ = [
    "Estate",
    "Found",
    "Grant",
    "Hop",
    "Managed",
    "PUBLISHED",
    "Path",
    "Place",
    "RULES",
    "Realm",
    "Rule",
    "SERVICES",
    "Way",
    "find",
    "find_across",
]
