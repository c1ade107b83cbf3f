"""Insight selectors: they are kept and shown, for trails and for event data stores; nothing looks for unusual activity."""

import json
from collections.abc import Iterable

from sekisho import arn
from sekisho.api.cloudtrail.v1 import insight_selectors_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail import stores, trails
from sekisho.services.cloudtrail.errors import InsightNotEnabled, InvalidInsightSelectors, InvalidParameterCombination


@operation
def put_insight_selectors(call: Call, request: pb.PutInsightSelectorsRequest) -> pb.PutInsightSelectorsResponse:
    """An empty list takes all away. An event data store names another, to which insights would go."""
    _refuse_both(request)
    kept = _plain(request.insight_selectors)
    if request.HasField("trail_name"):
        if request.HasField("insights_destination"):
            raise InvalidParameterCombination("A trail has no destination for insights.")
        trail = trails.find_changeable(call, request.trail_name)
        trail.insight_selectors = kept
        return pb.PutInsightSelectorsResponse(trail_arn=trails.arn_of(trail), insight_selectors=request.insight_selectors)
    store = stores.find_changeable(call, request.event_data_store)
    if kept is not None and not request.HasField("insights_destination"):
        raise InvalidParameterCombination("An event data store needs a destination for insights.")
    destination = stores.find_changeable(call, request.insights_destination) if kept is not None else None
    store.insight_selectors, store.insights_destination = kept, destination.id if destination is not None else None
    return pb.PutInsightSelectorsResponse(
        event_data_store_arn=stores.arn_of(store),
        insight_selectors=request.insight_selectors,
        insights_destination=stores.arn_of(destination) if destination is not None else None,
    )


@operation
def get_insight_selectors(call: Call, request: pb.GetInsightSelectorsRequest) -> pb.GetInsightSelectorsResponse:
    """InsightNotEnabled where there are none."""
    _refuse_both(request)
    if request.HasField("trail_name"):
        trail = trails.find(call, request.trail_name)
        return pb.GetInsightSelectorsResponse(
            trail_arn=trails.arn_of(trail), insight_selectors=_messages(trail.insight_selectors, trail.name)
        )
    store = stores.find(call, request.event_data_store)
    return pb.GetInsightSelectorsResponse(
        event_data_store_arn=stores.arn_of(store),
        insight_selectors=_messages(store.insight_selectors, store.name),
        insights_destination=arn.cloudtrail(store.account_id, "eventdatastore", store.insights_destination or ""),
    )


def _refuse_both(request: pb.PutInsightSelectorsRequest | pb.GetInsightSelectorsRequest) -> None:
    if request.HasField("trail_name") == request.HasField("event_data_store"):
        raise InvalidParameterCombination("Specify either TrailName or EventDataStore.")


def _plain(given: Iterable[pb.InsightSelector]) -> str | None:
    found = [{"InsightType": one.insight_type, "EventCategories": list(one.event_categories)} for one in given]
    kinds = [one["InsightType"] for one in found]
    if not all(kinds):
        raise InvalidInsightSelectors("An insight selector must have an insight type.")
    if len(set(map(str, kinds))) != len(kinds):
        raise InvalidInsightSelectors("An insight type can be named once.")
    return json.dumps(found) if found else None


def _messages(kept: str | None, name: str) -> list[pb.InsightSelector]:
    if kept is None:
        raise InsightNotEnabled(f"Insights are not enabled for {name}.")
    return [pb.InsightSelector(insight_type=one["InsightType"], event_categories=one["EventCategories"]) for one in json.loads(kept)]
