"""Rewritings of a case that the algebra is about: each returns a new case and leaves the old one alone."""

import copy
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.policy import gen_shrink, generator

Case = dict[str, Any]
Doc = dict[str, Any]
FLAT = ("identity_policies", "permission_boundary", "session_policies")
LEVELS = ("scps", "rcps")


def each_document(case: Case, change: Callable[[Doc], Doc]) -> Case:
    """The case with every document changed, statements given to `change` as a list."""
    changed = gen_shrink.plain(case)
    for holder, key in list(gen_shrink.documents(changed)):
        holder[key] = change(holder[key])
    return changed


def each_layer(case: Case, change: Callable[[list[Doc]], list[Doc]]) -> Case:
    """The case with the list of documents of every layer and level changed; a resource has one policy and keeps it."""
    changed = gen_shrink.plain(case)
    for layer in FLAT:
        if changed.get(layer):
            changed[layer] = change(changed[layer])
    for layer in LEVELS:
        if changed.get(layer):
            changed[layer] = [change(level) for level in changed[layer]]
    return changed


def shuffled(case: Case, rng: Random) -> Case:
    """Documents and statements in another order."""
    mixed = each_layer(case, lambda documents: rng.sample(documents, len(documents)))
    return each_document(mixed, lambda doc: {**doc, "Statement": rng.sample(doc["Statement"], len(doc["Statement"]))})


def duplicated(case: Case) -> Case:
    """Every statement and every document twice."""
    twice = each_document(case, lambda doc: {**doc, "Statement": doc["Statement"] * 2})
    return each_layer(twice, lambda documents: [*documents, *copy.deepcopy(documents)])


def split(case: Case) -> Case:
    """Every document in as many as it has statements."""
    return each_layer(case, lambda documents: [{**doc, "Statement": [one]} for doc in documents for one in doc["Statement"]])


def merged(case: Case) -> Case:
    """The documents of a layer in one for each version of the language."""

    def merge(documents: list[Doc]) -> list[Doc]:
        found: dict[str | None, Doc] = {}
        for doc in documents:
            version = doc.get("Version")
            found.setdefault(version, {**doc, "Statement": []})["Statement"].extend(doc["Statement"])
        return list(found.values())

    return each_layer(case, merge)


def spelled(case: Case, *, lists: bool) -> Case:
    """Every element that may be a scalar or a list as the one or, where it is a list of one, as the other."""

    def value(given: Any) -> Any:
        if lists:
            return given if isinstance(given, list) else [given]
        return given[0] if isinstance(given, list) and len(given) == 1 else given

    def statement(given: Doc) -> Doc:
        changed: Doc = {}
        for name, element in given.items():
            if name == "Condition":
                changed[name] = {operator: {key: value(wanted) for key, wanted in block.items()} for operator, block in element.items()}
            elif name.endswith("Principal"):
                changed[name] = element if element == "*" else {kind: value(names) for kind, names in element.items()}
            else:
                changed[name] = element if name == "Effect" else value(element)
        return changed

    return each_document(case, lambda doc: {**doc, "Statement": value([statement(one) for one in doc["Statement"]])})


def renamed(case: Case) -> Case | None:
    """The case with both accounts under other numbers; None when a pattern cuts an account's digits and would notice."""
    text = json.dumps(case)
    bare = text.replace("111122223333", "").replace("444455556666", "")
    if re.search(r"\d[*?]|[*?]\d", bare):
        return None
    found: Case = json.loads(text.replace("111122223333", "700070007000").replace("444455556666", "800080008000"))
    return found


def with_strangers(case: Case) -> Case:
    """Every list of principals with two more that nobody in the world is."""

    def statement(given: Doc) -> Doc:
        changed = dict(given)
        for name in ("Principal", "NotPrincipal"):
            if isinstance(given.get(name), dict):
                strangers: dict[str, list[str]] = {"AWS": ["arn:aws:iam::121212121212:user/nobody"], "Service": ["nothing.amazonaws.com"]}
                for kind, names in given[name].items():
                    strangers[kind] = strangers.get(kind, []) + (names if isinstance(names, list) else [names])
                changed[name] = strangers
        return changed

    return each_document(case, lambda doc: {**doc, "Statement": [statement(one) for one in doc["Statement"]]})


def with_statement(case: Case, layer: str, statement: Doc) -> Case:
    """The case with one more statement, in a document of its own where the layer takes several; the layer must be there."""
    added = gen_shrink.plain(case)
    document = {"Version": "2012-10-17", "Statement": [statement]}
    if layer == "resource_policy":
        added[layer] = {**added[layer], "Statement": [*added[layer]["Statement"], statement]} if added[layer] else document
    elif layer in LEVELS:
        added[layer][0].append(document)
    else:
        added[layer].append(document)
    return added


def without(case: Case, places: set[tuple[str, int, int, int]]) -> Case:
    """The case without the statements at the places; a document without statements goes, its layer stays."""
    return keeping(case, lambda place: place not in places)


def keeping(case: Case, kept: Callable[[tuple[str, int, int, int]], bool]) -> Case:
    """The case with only the statements whose place is kept."""
    left = gen_shrink.plain(case)

    def remaining(layer: str, level: int, documents: list[Doc]) -> list[Doc]:
        found = []
        for number, doc in enumerate(documents):
            statements = [one for index, one in enumerate(doc["Statement"]) if kept((layer, level, number, index))]
            if statements:
                found.append({**doc, "Statement": statements})
        return found

    if left.get("resource_policy"):
        left["resource_policy"] = next(iter(remaining("resource", 0, [left["resource_policy"]])), None)
    for member, layer in zip(FLAT, ("identity", "boundary", "session"), strict=True):
        if left.get(member):
            left[member] = remaining(layer, 0, left[member])
    for member, layer in zip(LEVELS, ("scp", "rcp"), strict=True):
        if left.get(member):
            left[member] = [remaining(layer, number, level) for number, level in enumerate(left[member])]
    return left


def random_statement(rng: Random, case: Case, effect: str, *, principal: bool) -> Doc:
    """A statement of a random world, about the case's own action and resource half of the time."""
    statement = generator.scene(rng).statement(1.0 if effect == "Deny" else 0.0, 0.2)
    if rng.random() < 0.5:
        statement = {key: value for key, value in statement.items() if key in ("Effect", "Condition")}
        statement |= {"Action": case["request"]["action"], "Resource": "*"}
        if rng.random() < 0.5:
            statement.pop("Condition", None)
    return {**statement, "Principal": "*"} if principal else statement
