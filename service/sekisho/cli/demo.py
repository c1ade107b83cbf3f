"""`sekisho demo`: a tour of a shop, against a server that lives as long as the tour."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sekisho.cli import connection, screen, throwaway

if TYPE_CHECKING:
    from sekisho.client import Client, Credentials, Decision

SERVICE = "orders.shop.example"
"""What the service that keeps the orders goes by: tokens for it are of no use to another."""


def demo() -> None:
    """Take a tour: load a shop into a throwaway server, assume roles, ask ten questions. Exit code 0: every answer was as expected."""
    from sekisho.cli.examples import example

    out = screen.console()
    shop = example("shop")
    with ExitStack() as stack:
        with screen.waiting("starting a server"):
            server = stack.enter_context(throwaway.server())
        out.print(f"A server for this tour listens on {server.grpc}.")
        tour = Tour(stack, server, shop)
        for line in tour.prepare():
            out.print(f"  {line}", markup=False)
        answers = list(screen.tracked(list(tour.questions()), "asking"))
    out.print(_table(answers))
    wrong = [answer for answer in answers if not answer.expected]
    for answer in wrong:
        out.print(f"not as expected: {answer.story}", style="red")
    out.print(f"{len(answers) - len(wrong)} of {len(answers)} answers as expected.")
    raise typer.Exit(1 if wrong else 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A question of the tour and what came of it."""

    story: str
    principal: str
    action: str
    decision: "Decision"
    expected: bool


class Tour:
    """The shop in one account, its carrier in another, and a service that asks for both."""

    def __init__(self, stack: ExitStack, server: throwaway.Server, shop: Path) -> None:
        from sekisho.cli.directory import parsed

        self._stack, self._server, self._shop = stack, server, shop
        script = parsed(shop / "questions.test.yaml", str)
        self._questions, self._sessions, self._resources = script["questions"], script["sessions"], script["resources"]
        self._roots: dict[str, Client] = {}
        self._accounts: dict[str, str] = {}
        self._users: dict[tuple[str, str], Client] = {}
        self._tokens: dict[str, str] = {}

    def prepare(self) -> Iterator[str]:
        """Load both accounts, issue temporary credentials; a line for each thing done."""
        from sekisho import client
        from sekisho.cli.load import loaded

        made = json.loads(throwaway.output("account create", self._server.data_dir, "--name", "carrier"))
        self._root("shop", connection.credentials("root", self._server.data_dir))
        self._root("carrier", client.Credentials(made["access_key_id"], made["secret_access_key"]))
        done = loaded(self._roots["shop"], self._shop, {"CARRIER_ID": self._accounts["carrier"]})
        yield f"account {self._accounts['shop']}: the shop, {len(done)} policies, groups, users and roles"
        done = loaded(self._roots["carrier"], self._shop / "carrier", {"SHOP_ID": self._accounts["shop"]})
        yield f"account {self._accounts['carrier']}: its carrier, {len(done)} user"
        service = self._assume("farid", "order-service", "orders-1")
        self._service = self._client(service)
        yield f"role order-service: temporary credentials {service.access_key_id}, with which the service asks"
        for name, session in self._sessions.items():
            user, role, account = session["user"], session["role"], session.get("account", "shop")
            held = self._assume(user, role, session["name"], account, session.get("external_id"))
            self._tokens[name] = client.token(held, SERVICE, datetime.now(UTC))
            yield f"role {role}: temporary credentials {held.access_key_id} for {user} of the {account}"

    def questions(self) -> Iterator[Answer]:
        """Ask each question of the script."""
        from sekisho.cli.directory import ACCOUNT

        for asked in self._questions:
            resource = self._resources.replace(ACCOUNT, self._accounts["shop"]) + asked["resource"]
            question: dict[str, Any] = {
                "action": asked["action"],
                "resource": resource,
                "context": asked.get("context"),
                "resource_tags": asked.get("tags"),
            }
            if "session" in asked:
                question |= {"bearer_token": self._tokens[asked["session"]], "audience": SERVICE}
            else:
                question["principal"] = f"arn:aws:iam::{self._accounts['shop']}:{asked['principal']}"
            decision = self._service.authorize(**question)
            what = f"{asked['action']} {asked['resource']}"
            yield Answer(asked["story"], decision.principal_arn, what, decision, _as_expected(decision, asked["expect"]))

    def _root(self, account: str, credentials: "Credentials") -> None:
        self._roots[account] = self._client(credentials)
        self._accounts[account] = self._roots[account].sts.get_caller_identity().account

    def _client(self, credentials: "Credentials") -> "Client":
        from sekisho.client import Client

        return self._stack.enter_context(Client(self._server.grpc, credentials))

    def _user(self, account: str, name: str) -> "Client":
        """A client that signs with an access key of a user, made when first asked for."""
        from sekisho.client import Credentials

        if (account, name) not in self._users:
            key = self._roots[account].iam.create_access_key(user_name=name).access_key
            self._users[account, name] = self._client(Credentials(key.access_key_id, key.secret_access_key))
        return self._users[account, name]

    def _assume(self, user: str, role: str, session: str, account: str = "shop", external_id: str | None = None) -> "Credentials":
        from sekisho.client import Credentials

        arn = f"arn:aws:iam::{self._accounts['shop']}:role/shop/{role}"
        given = self._user(account, user).sts.assume_role(role_arn=arn, role_session_name=session, external_id=external_id).credentials
        return Credentials(given.access_key_id, given.secret_access_key, given.session_token)


def _as_expected(decision: "Decision", expect: dict[str, str]) -> bool:
    """The outcome, and the statement or the layer that it is because of."""
    layer = decision.layer.value if decision.layer is not None else ""
    because = [match.sid for match in decision.matched]
    return (
        decision.outcome.value == expect["outcome"]
        and ("layer" not in expect or layer == expect["layer"])
        and ("because" not in expect or because == [expect["because"]])
    )


def _table(answers: list[Answer]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "answer", "who asked for what, and why"):
        table.add_column(heading, no_wrap=heading == "answer", overflow="fold")
    for number, answer in enumerate(answers, 1):
        who = answer.principal.split(":", 5)[5]
        why = screen.reason(answer.decision, short=True)
        told = Text.assemble((answer.story, "bold"), "\n", (f"{who} · {answer.action}", "dim"), "\n", why)
        table.add_row(str(number), screen.verdict(answer.decision), told)
    return table
