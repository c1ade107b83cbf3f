"""Questions with the answers that a team expects, kept beside its policies: what `sekisho policy test` reads.

    account: FOLDER                   with account.yaml, whose users and roles ask, with the policies that it gives them
    account_id, define                what stands for ACCOUNT_ID (default 111122223333) and for the words of account.yaml
    resources: PREFIX                 what a resource begins with that is no ARN and no `*`
    sessions: {NAME: {role, name, tags?, source_identity?}}
    questions:
      - story                         what the question is about
        principal | session           user/PATH/NAME or role/PATH/NAME; or one of the sessions
        action, resource, resource_account?, tags?, context?, resource_policy?
        expect: OUTCOME | {outcome, layer?, because?}

OUTCOME is Allowed, ExplicitlyDenied or ImplicitlyDenied; `because` the Sid of the one statement that decides. No server is asked: the
account's files become the records that one would hold, and these the inputs of the evaluator, as the server composes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekisho import arn, policy, world
from sekisho.cli import directory, marks
from sekisho.cli.directory import Identity
from sekisho.cli.marks import Marked
from sekisho.errors import SekishoError
from sekisho.policy import layers as policy_layers

ACCOUNT_ID = "111122223333"
_FILE = {"account", "account_id", "define", "resources", "sessions", "questions"}
_QUESTION = {"story", "principal", "session", "action", "resource", "resource_account", "tags", "context", "resource_policy", "expect"}
_OUTCOMES = {outcome.value: outcome for outcome in policy.Outcome}


@dataclass(frozen=True, slots=True)
class Expectation:
    """A question, ready for the evaluator, with the answer that is expected; `place` is FILE:LINE:COLUMN."""

    story: str
    place: str
    request: policy.Request
    layers: policy.Layers
    outcome: policy.Outcome
    layer: str | None
    because: str | None

    def difference(self, decision: policy.Decision) -> str:
        """The first thing that is not as expected, `""` when all is."""
        layer = decision.layer.value if decision.layer is not None else "none"
        because = [match.statement.sid for match in decision.matched]
        if decision.outcome is not self.outcome:
            return f"expected {self.outcome.value}, was {decision.outcome.value}"
        if self.layer not in (None, layer):
            return f"expected of the layer {self.layer}, was of {layer}"
        if self.because is not None and because != [self.because]:
            return f"expected because of `{self.because}`, was because of {', '.join(f'`{sid}`' for sid in because) or 'no statement'}"
        return ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The questions of one file, the policies by their path, and the path by the ARN or name that a policy is attached as."""

    path: Path
    questions: tuple[Expectation, ...]
    policies: Mapping[Path, policy.Program]
    sources: Mapping[str, Path]


class Records:
    """The records of an account's files, by ids that are their names."""

    def __init__(self, account_id: str, folder: Path, account: directory.Account) -> None:
        self.account_id, self.folder = account_id, folder
        self.programs: dict[Path, policy.Program] = {}
        self.sources: dict[str, Path] = {}
        self.records: dict[str, world.Record] = {account_id: world.AccountRecord(account_id, "ACTIVE")}
        self.named: dict[str, str] = {}
        self.trusts: dict[str, policy.Attached] = {}
        for managed in account.policies.values():
            named, id_ = managed.arn(account_id), f"policy/{managed.name}"
            attached = policy.Attached(self.program("policies", managed.name, managed.document, named), arn=named, version="v1")
            self.records[id_] = world.PolicyRecord(id_, named, attached)
        for group in account.groups:
            self.records[f"group/{group.name}"] = world.GroupRecord(
                f"group/{group.name}", self._inline(group), _ids("policy", group.policies)
            )
        for kind, identities in (("user", account.users), ("role", account.roles)):
            for one in identities:
                self._principal(kind, one)

    def _principal(self, kind: str, one: Identity) -> None:
        record = world.PrincipalRecord(
            id=f"{kind}/{one.name}",
            account_id=self.account_id,
            kind=kind,
            name=one.name,
            arn=arn.iam(self.account_id, kind, one.name, one.path),
            tags=one.tags,
            inline=self._inline(one),
            policy_ids=_ids("policy", one.policies),
            group_ids=_ids("group", one.groups),
            boundary_id=f"policy/{one.boundary}" if one.boundary else None,
        )
        if one.trust:
            named = f"trust of {one.name}"
            self.trusts[record.arn] = policy.Attached(self.program("trust", one.name, one.trust, named), name=named)
        self.records[record.id] = record
        self.named[f"{kind}{one.path}{one.name}"] = record.id

    def _inline(self, one: Identity) -> tuple[policy.Attached, ...]:
        return tuple(policy.Attached(self.program("policies", name, text, name), name=name) for name, text in one.inline.items())

    def program(self, kind: str, name: str, text: str, attached: str) -> policy.Program:
        """The program of a policy's text, noted under its path and what it is attached as."""
        path = (self.folder / kind / f"{name}.json").resolve()
        try:
            self.programs[path] = policy.compiled(text)
        except SekishoError as error:
            raise ValueError(f"{path}: {error.message}") from None
        self.sources[attached] = path
        return self.programs[path]


def _ids(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{kind}/{name}" for name in names)


def files(places: list[Path]) -> list[Path]:
    """The test files that are named, and those named `….test.yaml` in the folders that are."""
    found = [file for place in places for file in (sorted(place.rglob("*.test.yaml")) if place.is_dir() else [place])]
    if not found:
        raise ValueError(f"no file named ….test.yaml in {', '.join(f'`{place}`' for place in places)}")
    return found


def read(path: Path, now: datetime) -> Suite:
    """The questions of a file; Misplaced says where it is wrong."""
    marked = marks.read(path)
    content = _mapping(marked, marked.value)
    _known(marked, content, _FILE)
    account_id = str(content.get("account_id", ACCOUNT_ID))
    folder = path.parent / str(content.get("account", "."))
    definitions = {str(word): str(value) for word, value in _mapping(marked, content.get("define") or {}, "define").items()}
    try:
        account = directory.read(folder, account_id, definitions)
        records = Records(account_id, folder, account)
    except (ValueError, SekishoError) as error:
        raise marked.wrong(str(error), "account") from None
    prefix = str(content.get("resources", "")).replace(directory.ACCOUNT, account_id)
    return suite(marked, records, prefix, now)


def suite(marked: Marked, records: Records, prefix: str, now: datetime) -> Suite:
    """The questions of a file, asked of records; `prefix` is what its resources begin with."""
    asked = marked.value.get("questions")
    if not isinstance(asked, list) or not asked:
        raise marked.wrong("`questions` is no list of questions", "questions")
    reader = _Reader(marked, records, prefix, now)
    return Suite(marked.path, tuple(reader.question(index) for index in range(len(asked))), records.programs, records.sources)


class _Reader:
    """Turns the questions of one file into inputs of the evaluator."""

    def __init__(self, marked: Marked, records: Records, prefix: str, now: datetime) -> None:
        self._marked, self._records, self._prefix, self._now = marked, records, prefix, now
        self._sessions = _mapping(marked, marked.value.get("sessions") or {}, "sessions")

    def question(self, index: int) -> Expectation:
        """The question at a place in the list."""
        steps = ("questions", index)
        asked = _mapping(self._marked, self._marked.value["questions"][index], *steps)
        _known(self._marked, asked, _QUESTION, *steps)
        for member in ("story", "action", "resource", "expect"):
            if member not in asked:
                raise self._marked.wrong(f"the question has no `{member}`", *steps)
        try:
            request, layers = world.question(self._subject(asked, steps), self._asked(asked), self._records.records.get, self._now)
        except SekishoError as error:
            raise self._marked.wrong(error.message, *steps) from None
        expect = asked["expect"] if isinstance(asked["expect"], dict) else {"outcome": asked["expect"]}
        _known(self._marked, expect, {"outcome", "layer", "because"}, *steps, "expect")
        if expect.get("outcome") not in _OUTCOMES:
            raise self._marked.wrong(f"the expected outcome is one of {', '.join(_OUTCOMES)}", *steps, "expect")
        if expect.get("layer") not in (None, *(layer.value for layer in policy.Layer)):
            raise self._marked.wrong(f"there is no layer `{expect['layer']}`", *steps, "expect", "layer")
        place, outcome = self._marked.place(*steps), _OUTCOMES[expect["outcome"]]
        return Expectation(str(asked["story"]), place, request, layers, outcome, expect.get("layer"), expect.get("because"))

    def _subject(self, asked: Mapping[str, Any], steps: marks.Steps) -> world.Subject:
        """Who asks: a principal of the account, or a session of one of its roles."""
        if ("principal" in asked) is ("session" in asked):
            raise self._marked.wrong("a question has either a `principal` or a `session`", *steps)
        if "principal" in asked:
            found = self._records.named.get(asked["principal"])
            if found is None:
                known = ", ".join(self._records.named)
                raise self._marked.wrong(f"the account has no principal `{asked['principal']}`; it has {known}", *steps, "principal")
            return world.Subject(found, self._records.account_id)
        session = self._sessions.get(asked["session"])
        if not isinstance(session, dict) or f"role/{session.get('role')}" not in self._records.records:
            raise self._marked.wrong(f"`{asked['session']}` is no session of a role of the account", *steps, "session")
        facts = world.SessionFacts(
            kind="assumed-role",
            name=str(session.get("name", asked["session"])),
            tags={str(key): str(value) for key, value in (session.get("tags") or {}).items()},
            source_identity=str(session.get("source_identity", "")),
            issued_at=self._now,
        )
        return world.Subject(f"role/{session['role']}", self._records.account_id, session=facts)

    def _asked(self, asked: Mapping[str, Any]) -> world.Asked:
        action, resource = str(asked["action"]), str(asked["resource"])
        if not resource.startswith("arn:") and resource != "*":
            resource = self._prefix + resource
        # The trust policy of a role is the resource policy of whoever assumes it.
        attached = self._records.trusts.get(resource) if policy_layers.is_trust(action, resource) else None
        if name := asked.get("resource_policy"):
            text = (self._records.folder / "policies" / f"{name}.json").read_text().replace(directory.ACCOUNT, self._records.account_id)
            attached = policy.Attached(self._records.program("policies", str(name), text, str(name)), name=str(name))
        return world.Asked(
            action=action,
            resource=resource,
            account=self._records.account_id,
            resource_account=str(asked.get("resource_account") or ""),
            resource_policy=attached,
            tags={str(key): _text(value) for key, value in (asked.get("tags") or {}).items()},
            given={str(key).lower(): _values(value) for key, value in (asked.get("context") or {}).items()},
        )


def _values(value: Any) -> str | tuple[str, ...]:
    return tuple(_text(item) for item in value) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """A YAML value in the spelling of policies."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _mapping(marked: Marked, value: object, *steps: str | int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise marked.wrong("this is no mapping", *steps)
    return value


def _known(marked: Marked, members: Mapping[str, Any], known: set[str], *steps: str | int) -> None:
    for name in members:
        if name not in known:
            raise marked.wrong(f"unknown member `{name}`; it is one of {', '.join(sorted(known))}", *steps, name, key=True)
