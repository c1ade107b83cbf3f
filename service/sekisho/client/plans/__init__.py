"""Plans: on which of many resources somebody may do an action, as a condition that a program puts to its own rows.

    plan = client.plan(principal=alice, action="orders:GetOrder", resource_type="orders:order")
    plans.allows(plan, "arn:aws:orders:eu-west-1:111122223333:order/7", {"team": "red"})

A plan is true of just those resources that Authorize would allow when it was made, and of no others: of policies that change, it knows
nothing. `plans.sqlalchemy.where` (extra `sqlalchemy`) makes a filter of it; `to_json` and `from_json` keep it.
"""

from sekisho.client.plans.questions import ActionsQuestion, PlanQuestion, PrincipalsQuestion, ResourcesQuestion
from sekisho.policy.residual import Kind, Plan, allows, from_json, to_json

__all__ = [
    "Plan",
    "Kind",
    "allows",
    "to_json",
    "from_json",
    "PlanQuestion",
    "ActionsQuestion",
    "ResourcesQuestion",
    "PrincipalsQuestion",
]
