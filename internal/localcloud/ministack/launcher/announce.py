"""Events that CloudFormation and ECS send on AWS and MiniStack does not: stacks, deployments, tasks."""

import logging
import queue
import threading

import events

logger = logging.getLogger("localcloud")

_waiting = queue.Queue()


def install():
    from ministack.services.cloudformation import changesets, handlers, stacks

    announced = _announcing_stacks(stacks._add_event)
    for module in (stacks, changesets, handlers):
        module._add_event = announced
    threading.Thread(target=_send, daemon=True, name="localcloud-events").start()


def _send():
    """One after another, apart from whoever caused them: the targets of rules may take their time."""
    while True:
        event = _waiting.get()
        try:
            events.put_event(event)
        except Exception:
            logger.exception("an event could not be put: %s", event["detailType"])


def _announcing_stacks(add_event):
    def added(stack_id, stack_name, logical_id, resource_type, status, reason="", *args, **kwargs):
        from ministack.core.responses import get_account_id, get_region

        add_event(stack_id, stack_name, logical_id, resource_type, status, reason, *args, **kwargs)
        if resource_type == "AWS::CloudFormation::Stack" and logical_id == stack_name:
            _waiting.put({
                "source": "aws.cloudformation", "detailType": "CloudFormation Stack Status Change",
                "resources": [stack_id], "account": get_account_id(), "region": get_region(),
                "detail": {"stack-id": stack_id, "status-details": {"status": status, "status-reason": reason},
                           "client-request-token": ""},
            })

    return added


def task(account, region, view):
    """A change of a task's state; view is the task as DescribeTasks has it."""
    _waiting.put({"source": "aws.ecs", "detailType": "ECS Task State Change", "resources": [view["taskArn"]],
                  "account": account, "region": region, "detail": view})


def deployment(account, region, service_arn, view):
    """A change of a deployment's rollout state; view is the deployment as DescribeServices has it."""
    state = view.get("rolloutState")
    _waiting.put({
        "source": "aws.ecs", "detailType": "ECS Deployment State Change", "resources": [service_arn],
        "account": account, "region": region,
        "detail": {"eventType": "ERROR" if state == "FAILED" else "INFO", "eventName": f"SERVICE_DEPLOYMENT_{state}",
                   "deploymentId": view["id"], "updatedAt": view.get("updatedAt"),
                   "reason": view.get("rolloutStateReason", "")},
    })
