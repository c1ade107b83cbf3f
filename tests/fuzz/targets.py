"""What a fuzzer drives: each target takes any bytes, and only what is expected may go wrong in it.

Beside "no other exception" a target asserts what has to hold for all inputs: what `check` refuses `findings` calls an error, a matcher
agrees with the definition of its wildcards, a covering pattern matches all that the covered one matches, doubt never lets anybody in.
"""

from collections.abc import Callable

from sekisho import arn as arns
from sekisho.errors import InvalidArn, MalformedPolicyDocument
from sekisho.policy import conditions as table
from sekisho.policy import document as documents
from sekisho.policy import operands, operators, validate, variables
from sekisho.policy import patterns as wildcards
from sekisho.policy.checks.coverage import covers
from sekisho.policy.compile import compile_policy
from sekisho.policy.document import Condition
from sekisho.policy.findings import MAX_FINDINGS
from sekisho.policy.keys import Context
from sekisho.policy.validate import Kind, Severity

_KINDS = tuple(Kind)
_QUANTIFIERS = ("", f"{operators.FOR_ALL}:", f"{operators.FOR_ANY}:")
_OPERATORS = (*operators.OPERATORS, operators.NULL, "Unknown")


def document(data: bytes) -> None:
    """A kind, then the text of a policy."""
    kind, text = _KINDS[data[0] % len(_KINDS) if data else 0], _text(data[1:])
    found = validate.findings(text, kind)
    assert all(finding.line >= 1 and finding.column >= 1 and finding.path.startswith("$") for finding in found)
    validate.size(text)
    try:
        policy = validate.check(text, kind)
    except MalformedPolicyDocument:
        assert len(found) >= MAX_FINDINGS or any(finding.severity is Severity.ERROR for finding in found)
    else:
        assert documents.parse(text) == policy
        compile_policy(policy)
    try:
        policy = documents.parse(text)
    except MalformedPolicyDocument:
        return
    assert all(statement.line >= 1 for statement in policy.statements)
    compile_policy(policy)


def patterns(data: bytes) -> None:
    """Two patterns and a text, on a line each."""
    general, special, text = (*_text(data).split("\n", 2), "", "")[:3]
    general, special, text = general[:64], special[:64], text[:64]
    for matcher, segmented in ((wildcards.matcher, False), (wildcards.resource_matcher, True)):
        verdicts = [matcher(wildcards.tokens(pattern))(text) for pattern in (general, special)]
        assert verdicts == [matches(pattern, text, segmented=segmented) for pattern in (general, special)]
        if covers(general, special, resource=segmented):
            assert verdicts[0] or not verdicts[1]
    for part in variables.referred(variables.parse(general, variables=True, wildcards=True)):
        assert part.key == part.key.lower()


def conditions(data: bytes) -> None:
    """An operator, its affixes, an effect and a version, then a listed value and values of the request, on a line each."""
    head, lines = data[:3].ljust(3, b"\0"), _text(data[3:]).split("\n")
    operator = _QUANTIFIERS[head[0] % 3] + _OPERATORS[head[1] % len(_OPERATORS)] + (operators.IF_EXISTS if head[2] & 1 else "")
    listed, values = lines[0].split("\t"), tuple(lines[1:])
    given: tuple[Context, ...] = (Context({}), Context({"a:b": values}), Context({"a:b": values[0] if values else ""}))
    condition = Condition(operator, "A:b", tuple(listed))
    for context in given:
        outcomes = [_outcome(condition, context, deny=deny, dynamic=bool(head[2] & 2)) for deny in (False, True)]
        assert outcomes[1] or not outcomes[0]  # in doubt a Deny matches and an Allow does not; else they agree
    for read in (operands.number, operands.date, operands.boolean, operands.binary, operands.address, operands.network):
        read(lines[0])


def arn(data: bytes) -> None:
    """The text of an ARN."""
    text = _text(data)
    arns.account_of(text)
    arns.is_account_id(text)
    try:
        parsed = arns.parse(text)
    except InvalidArn:
        return
    assert str(parsed) == text
    assert parsed.account == arns.account_of(text)


TARGETS: dict[str, Callable[[bytes], None]] = {"document": document, "patterns": patterns, "conditions": conditions, "arn": arn}


def matches(pattern: str, text: str, *, segmented: bool) -> bool:
    """The definition, straight: the set of positions in the text that each prefix of the pattern can reach.

    `?` is one character, `*` any run; segmented, neither takes a colon, but for a star before a colon or at the end of the pattern.
    """
    reached = {0}
    for i, sign in enumerate(pattern):
        if sign == "*":
            crosses = not segmented or pattern[i + 1 :].lstrip("*")[:1] in ("", ":")
            for start in sorted(reached):
                end = start
                while end < len(text) and (crosses or text[end] != ":"):
                    end += 1
                    reached.add(end)
        else:
            taken = {at for at in reached if at < len(text) and (text[at] != ":" or not segmented if sign == "?" else text[at] == sign)}
            reached = {at + 1 for at in taken}
    return len(text) in reached


def _outcome(condition: Condition, context: Context, *, deny: bool, dynamic: bool) -> bool:
    made = table.compiled(condition, deny=deny, dynamic=dynamic)
    resolvable = variables.guard(made.referred)
    outcome = made.test(context) if resolvable is None or resolvable(context) else deny
    assert outcome in (True, False)
    return bool(outcome)


def _text(data: bytes) -> str:
    """UTF-8 where it is that, with lone surrogates let through; else a character a byte."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")
