"""`sekisho authorize`: asks a running server for one decision."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sekisho.cli import connection, screen
from sekisho.cli.connection import Asked

if TYPE_CHECKING:
    from sekisho.client import Decision, Explanation

DENIED = 3


@connection.asking
def authorize(
    action: Annotated[str, typer.Option(help="Such as orders:ShipOrder.")],
    resource: Annotated[str, typer.Option(help="An ARN, or * for actions without a resource; ACCOUNT_ID in it is the caller's account.")],
    principal: Annotated[
        str | None, typer.Option(help="An ARN, or user/NAME or role/NAME of the caller's account; without it, the caller itself.")
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A condition key, as KEY=VALUE; several times for a list, KEY[]=VALUE for a list of one.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag of the resource, as KEY=VALUE; several times.")] = None,
    resource_account: Annotated[str | None, typer.Option(help="Who owns the resource, when its ARN does not say.")] = None,
    resource_policy: Annotated[Path | None, typer.Option(help="A file with the resource's own policy.")] = None,
    at_least: Annotated[str | None, typer.Option(help="A revision that the answer must know of.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say how every policy was judged.")] = False,
    encode: Annotated[
        bool,
        typer.Option("--encode-message", help="Give a denial's reasons as a message for `aws sts decode-authorization-message`."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    *,
    at: Asked,
) -> None:
    """Ask a running server for one decision. Exit code 0: allowed; 3: not; 1: could not be decided."""
    from sekisho.cli import spelling
    from sekisho.cli.directory import ACCOUNT
    from sekisho.client import NotFound

    with connection.connect(at) as (client, caller):
        resource = resource.replace(f":{ACCOUNT}:", f":{caller.account}:")  # as in the files that `load` reads
        question: Any = {
            "action": action,
            "resource": resource,
            "principal": _arn(caller.account, principal) if principal is not None else None,
            "context": _context(context or ()),
            "resource_tags": dict(_pair(item, "--tag") for item in tag or ()),
            "resource_account": resource_account,
            "resource_policy": _resource_policy(resource_policy) if resource_policy is not None else None,
            "at_least": at_least,
            "encode_authorization_message": encode,
        }
        for warning in spelling.warnings(action, resource, caller.account):
            print(f"warning: {warning}", file=sys.stderr)
        try:
            explanation = client.explain(**question) if explain else None
            decision = explanation.decision if explanation is not None else client.authorize(**question)
        except NotFound as error:
            meant = spelling.principals(client, question["principal"] or "")
            if not meant:
                raise
            raise NotFound(f"{error.message} Did you mean {meant}?", code=error.code, request_id=error.request_id, answered=True) from None
        if not decision.allowed and not decision.matched and not as_json and (meant := spelling.meant_action(client, action)):
            print(f"warning: no policy of the account names `{action}`; did you mean {meant}?", file=sys.stderr)
    if as_json:
        print(json.dumps(_members(decision, explanation), ensure_ascii=False))
    else:
        _show(decision, explanation, action, resource)
    raise typer.Exit(0 if decision.allowed else DENIED)


def _arn(account: str, principal: str) -> str:
    """The ARN of a principal; `user/alice` is one of the caller's account."""
    if principal.startswith("arn:"):
        return principal
    if principal.partition("/")[0] not in ("user", "role"):
        raise typer.BadParameter("an ARN, user/NAME or role/NAME", param_hint="--principal")
    return f"arn:aws:iam::{account}:{principal}"


def _resource_policy(path: Path) -> str:
    from sekisho.cli import documents
    from sekisho.policy.validate import Kind

    return documents.refuse(path, Kind.RESOURCE)


def _pair(item: str, option: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"`{item}` is not KEY=VALUE", param_hint=option)
    return key, value


def _context(items: Iterable[str]) -> dict[str, str | list[str]]:
    """Condition keys; one that is given more than once, or as KEY[], is a list."""
    found: dict[str, list[str]] = {}
    lists: set[str] = set()
    for item in items:
        key, value = _pair(item, "--context")
        if key.endswith("[]"):
            lists.add(key := key.removesuffix("[]"))
        found.setdefault(key, []).append(value)
    return {key: values if len(values) > 1 or key in lists else values[0] for key, values in found.items()}


def _members(decision: "Decision", explanation: "Explanation | None") -> dict[str, Any]:
    members = {
        "allowed": decision.allowed,
        "outcome": decision.outcome.value,
        "layer": decision.layer.value if decision.layer is not None else None,
        "matched": [asdict(match) for match in decision.matched],
        "missing_keys": list(decision.missing_keys),
        "principal_arn": decision.principal_arn,
        "decision_id": decision.decision_id,
        "revision": decision.revision,
    }
    if decision.encoded_authorization_message:
        members["encoded_authorization_message"] = decision.encoded_authorization_message
    if explanation is not None:
        members |= {"sentence": explanation.sentence, "text": explanation.text, "trace": explanation.trace}
    return members


def _show(decision: "Decision", explanation: "Explanation | None", action: str, resource: str) -> None:
    out = screen.console()
    out.print(screen.verdict(decision), f" {decision.principal_arn}", markup=False)
    lines = [("action", action), ("resource", resource), ("because", screen.reason(decision))]
    if decision.missing_keys:
        lines.append(("missing", f"{', '.join(decision.missing_keys)}: asked for by a condition, given by nobody"))
    lines += [("decision", decision.decision_id), ("revision", decision.revision)]
    if decision.encoded_authorization_message:
        lines.append(("encoded", decision.encoded_authorization_message))
    for name, text in lines:
        out.print(f"  {name:9} {text}", markup=False)
    if explanation is not None:
        out.print(f"\n{explanation.sentence}\n\n{explanation.text}\n", markup=False)
        for line in screen.judgements(explanation.trace):
            out.print(line, markup=False)
