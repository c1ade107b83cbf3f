"""Paths to administrators: seconds of CPU for an account of 2,000 principals, a company's and some that are made to be hard.

`python -m bench.escalation` also draws the company's into docs/escalation-paths.svg; a test holds the one against the other.
"""

import time
from collections.abc import Callable
from pathlib import Path

from sekisho.analysis.escalation import find
from sekisho.cli.paths import svg
from tests.analysis.escalation.worlds import ACCOUNT, EVERYTHING, IAM, Document, One, World, allow, deny, trust

PICTURE = Path(__file__).parents[1] / "docs" / "escalation-paths.svg"

USERS = ROLES = 1000
TEAMS = 40
SERVICES = ("lambda", "ec2", "ecs-tasks", "glue", "codebuild")


def company() -> World:
    """Forty teams: groups with shared policies, roles that services act as and that users of the team assume, some holes."""
    groups: dict[str, tuple[list[Document], list[str]]] = {f"team-{team}": ([], [f"use-{team}", "read"]) for team in range(TEAMS)}
    policies = {
        f"use-{team}": [
            allow("s3:*", "sqs:*", on=f"arn:aws:s3:::team-{team}-*"),
            allow("sts:AssumeRole", on=f"{IAM}role/team-{team}/*"),
            allow("lambda:*", on=f"arn:aws:lambda:*:{ACCOUNT}:function:team-{team}-*"),
            allow("iam:PassRole", on=f"{IAM}role/team-{team}/*"),
        ]
        for team in range(TEAMS)
    }
    policies |= {
        "read": [allow("iam:Get*", "iam:List*", "ec2:Describe*", "logs:*")],
        "self": [allow("iam:CreateAccessKey", "iam:ChangePassword", on=f"{IAM}user/${{aws:username}}")],
        "all": [EVERYTHING],
        "limits": [allow("*"), deny("iam:*")],
    }
    holes = (
        [allow("iam:CreateAccessKey", on=f"{IAM}user/u*")],
        [allow("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")],
        [allow("iam:AttachUserPolicy", on=f"{IAM}user/${{aws:username}}")],
        [allow("iam:CreateLoginProfile", on=f"{IAM}user/u3*")],
        [allow("iam:CreatePolicyVersion", on=f"{IAM}policy/read")],
        [allow("iam:PassRole", on=f"{IAM}role/team-1*"), allow("codebuild:*", "iam:PassRole")],
        [allow("iam:UpdateAssumeRolePolicy", on=f"{IAM}role/team-4/*")],
        [allow("iam:PutUserPolicy", "iam:CreateAccessKey", on=f"{IAM}user/u99*")],
        [allow("iam:CreateLoginProfile", on=f"{IAM}user/u148")],
    )
    users = {
        f"u{n}": One(
            holes[n // 9 % len(holes)] if n % 9 == 4 and n > 100 else [],
            ["all"] if n < 5 else ["self"],
            [f"team-{n % TEAMS}"],
        )
        for n in range(USERS)
    }
    roles = {}
    for n in range(ROLES):
        team = n % TEAMS
        trusted = trust(Service=f"{SERVICES[n % 5]}.amazonaws.com") if n % 2 else trust(AWS=f"{IAM}root")
        own = [EVERYTHING] if n % 200 in (7, 108) else [allow("dynamodb:*", on=f"arn:aws:dynamodb:*:*:table/team-{team}-*")]
        roles[f"r{n}"] = One(own, trust=trusted, path=f"/team-{team}/", boundary="limits" if n % 3 == 0 else None)
    return World(users=users, roles=roles, groups=groups, policies=policies)


def chain() -> World:
    """Each user has the keys of the next: as long a path as there are users."""
    users = {f"u{n}": One([allow("iam:CreateAccessKey", on=f"{IAM}user/u{n + 1}")]) for n in range(USERS - 1)}
    users[f"u{USERS - 1}"] = One([EVERYTHING])
    roles = {f"r{n}": One([allow("sts:AssumeRole", on=f"{IAM}role/r{n + 1}")], trust=trust(AWS=f"{IAM}root")) for n in range(ROLES)}
    return World(users=users, roles=roles)


def unlike() -> World:
    """Nobody is like anybody else, everybody has a pattern for each method of IAM that fits some, and nobody gets anywhere but one."""
    actions = ("iam:CreateAccessKey", "iam:UpdateLoginProfile", "iam:CreateLoginProfile", "iam:AttachUserPolicy", "iam:PutUserPolicy")
    more = ("iam:UpdateAssumeRolePolicy", "sts:AssumeRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PassRole")
    users = {f"u{n}": One([allow(*actions, *more, on=[f"{IAM}user/v{n}*", f"{IAM}role/v{n}*"])]) for n in range(USERS)}
    roles = {f"r{n}": One([allow(*actions, *more, on=f"{IAM}*/w{n}*")], trust=trust(AWS=f"{IAM}root")) for n in range(ROLES)}
    return World(users=users | {"admin": One([EVERYTHING])}, roles=roles, policies={"all": [EVERYTHING]})


WORLDS: dict[str, Callable[[], World]] = {"a company": company, "a chain": chain, "nobody alike": unlike}


def run() -> None:
    """Print a line for each account."""
    print(f"{'':16}{'principals':>11}{'administrators':>16}{'with a path':>13}{'longest':>9}{'decisions':>11}{'s of CPU':>10}")
    for name, make in WORLDS.items():
        estate = make().estate()
        began = time.process_time()
        found = find(estate)
        took = time.process_time() - began
        longest = max((len(path.hops) for path in found.paths), default=0)
        print(
            f"{name:16}{found.principals:11}{len(found.administrators):16}{len(found.paths):13}{longest:9}{found.decisions:11}{took:10.2f}"
        )


if __name__ == "__main__":
    run()
    PICTURE.write_text(svg.drawn(find(company().estate())))
    print(PICTURE)
