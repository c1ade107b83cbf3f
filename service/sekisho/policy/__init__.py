"""The policy language: read a document, compile it, decide, say why. Pure: no clock, no I/O, no network."""

from sekisho.policy.compile import Program, compile_policy, compiled
from sekisho.policy.decide import decide
from sekisho.policy.dependence import depends_on_request
from sekisho.policy.document import Condition, Policy, Principals, Statement, from_json, parse
from sekisho.policy.explain import sentence, short, trace, what_would_allow
from sekisho.policy.keys import Context, context
from sekisho.policy.layers import Attached, Decision, Layer, Layers, Match, Outcome, Request
from sekisho.policy.principals import Principal
from sekisho.policy.prompt import is_prompt
from sekisho.policy.standing import Standing, asked_keys, lacked, standing
from sekisho.policy.steps import stepping, unbroken

__all__ = [
    "Policy",
    "Statement",
    "Condition",
    "Principals",
    "parse",
    "from_json",
    "Program",
    "compile_policy",
    "compiled",
    "Context",
    "context",
    "Principal",
    "Request",
    "Attached",
    "Layers",
    "Layer",
    "decide",
    "depends_on_request",
    "is_prompt",
    "Decision",
    "Outcome",
    "Match",
    "standing",
    "stepping",
    "unbroken",
    "Standing",
    "asked_keys",
    "lacked",
    "sentence",
    "short",
    "trace",
    "what_would_allow",
]
