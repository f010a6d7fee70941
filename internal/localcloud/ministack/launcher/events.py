"""EventBridge: rates of a scaled world, and events that only AWS itself may send."""

import json

import bridge


def scale_schedules(speed):
    """Lets rules and schedules of rate(...) fire `speed` times as often."""
    from ministack.services import eventbridge, scheduler

    seconds = eventbridge._parse_rate_seconds

    def scaled(expression):
        interval = seconds(expression)
        return None if interval is None else interval / speed

    eventbridge._parse_rate_seconds = scaled
    tick = max(0.1, min(1.0, 5 / speed))
    eventbridge._SCHEDULER_TICK_INTERVAL = tick
    scheduler._SCHEDULE_TICK_INTERVAL = tick


def put_event(request):
    """PutEvents for one entry whose source begins with aws., which callers of the public API may not send."""
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge

    entry = {"Source": request["source"], "DetailType": request["detailType"],
             "Resources": request.get("resources") or [], "Detail": json.dumps(request["detail"])}
    with request_scope(request["account"], request["region"]):
        _, _, body = eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    answer = json.loads(body)
    if answer.get("FailedEntryCount"):
        raise bridge.Refused(str(answer["Entries"]))


ROUTES = {"events/put": put_event}
