"""The log of a state machine's executions, as its logging configuration asks for it. MiniStack keeps the configuration
and writes nothing; for an Express machine on AWS this log is all that there is to see.

An execution's events are written when it has ended, one JSON object each, to a stream of its own (Step Functions
developer guide, "Logging using CloudWatch Logs").
"""

import json
import logging
import time

logger = logging.getLogger("localcloud")

_FATAL = ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
_ERROR_ENDINGS = ("Failed", "TimedOut", "Aborted")
_DATA = ("input", "inputDetails", "output", "outputDetails", "parameters", "variables", "assignedVariables")


def install():
    from ministack.services import stepfunctions

    run = stepfunctions._run_execution

    def logged(arn):
        run(arn)
        try:
            execution = stepfunctions._executions.get(arn) or {}
            machine = stepfunctions._state_machines.get(execution.get("stateMachineArn"))
            if machine:
                _write(machine, execution)
        except Exception:
            logger.exception("the log of %s was not written", arn)

    stepfunctions._run_execution = logged


def _write(machine, execution):
    from ministack.services import cloudwatch_logs

    wanted = _camel(machine.get("loggingConfiguration") or {})
    with_data = str(wanted.get("includeExecutionData", False)).lower() == "true"
    events = [_message(event, execution["executionArn"], with_data)
              for event in execution["events"] if _counts(event["type"], wanted.get("level", "OFF"))]
    if not events:
        return
    stream = f"states/{machine['name']}/{time.strftime('%Y-%m-%d-%H-%M', time.gmtime())}/{execution['name']}"
    for destination in wanted.get("destinations") or []:
        arn = (destination.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn", "")
        group = arn.partition(":log-group:")[2].removesuffix(":*")
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
        cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


def _camel(value):
    """CloudFormation's spelling of a configuration (LogGroupArn) in that of the API (logGroupArn)."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _camel(inner) for name, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def _counts(kind, level):
    return (level == "ALL" or level == "FATAL" and kind in _FATAL
            or level == "ERROR" and kind.endswith(_ERROR_ENDINGS))


def _message(event, arn, with_data):
    from ministack.services import stepfunctions

    details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    if not with_data:
        details = {name: value for name, value in details.items() if name not in _DATA}
    milliseconds = stepfunctions._iso_to_epoch_ms(event["timestamp"])
    return {"timestamp": milliseconds, "message": json.dumps({
        "id": str(event["id"]), "type": event["type"], "details": details, "redrive_count": "0",
        "previous_event_id": str(event["id"] - 1), "event_timestamp": str(milliseconds), "execution_arn": arn,
    })}
