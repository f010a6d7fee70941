"""CloudFormation resource types that the Go process makes: create, update (with replacement) and delete."""

import logging
import time

logger = logging.getLogger("localcloud")

# How long CloudFormation waits for a service to become steady. AWS waits three hours; no one does that locally.
STEADY_SECONDS = 600

# Length of the random end of a generated name.
_NAME_SUFFIX = 13


def install(go, types):
    from ministack.services.cloudformation import provisioners, stacks

    for name in types:
        provisioners._RESOURCE_HANDLERS[name] = _handlers(go, name)
        # Go says whether a change replaces the resource, not MiniStack's table for a type of its own.
        provisioners._REPLACING_PROPERTIES.pop(name, None)
    _wait_for_services(provisioners)
    _cut_stack_names(provisioners)

    # These call back into this process, so they may not run on its event loop.
    blocking = {*types, "AWS::ECS::Service"}
    on_worker_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in blocking or on_worker_thread(name)


def _handlers(go, name):
    def ask(step, **request):
        from ministack.core.responses import get_account_id, get_region

        request |= {"type": name, "account": get_account_id(), "region": get_region()}
        answer = go.call("cloudformation/" + step, request)
        return answer.get("physicalId", ""), answer.get("attributes") or {}

    def create(logical_id, properties, stack_name):
        return ask("create", logicalId=logical_id, stackName=stack_name, properties=properties)

    def update(physical_id, old, new, stack_name, logical_id):
        from ministack.services.cloudformation import provisioners

        made = ask("update", logicalId=logical_id, stackName=stack_name, physicalId=physical_id,
                   properties=new, oldProperties=old)
        if made[0] != physical_id:  # replaced; MiniStack deletes the old one when the update has succeeded
            provisioners._delete_predecessor(delete, physical_id, old)
        return made

    def delete(physical_id, properties):
        ask("delete", physicalId=physical_id, properties=properties)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _cut_stack_names(provisioners):
    """Where a generated name would be too long, CloudFormation cuts the stack's name; MiniStack cuts the logical id."""
    name = provisioners._physical_name

    def named(stack_name, logical_id, **options):
        whole = name(stack_name, logical_id, **options)
        suffix = whole[-_NAME_SUFFIX:]
        room = options.get("max_len", 128) - len(logical_id) - len(suffix) - 2
        if len(stack_name) <= room or room < 1:
            return whole
        cut = f"{stack_name[:room]}-{logical_id}-"
        return (cut.lower() if options.get("lowercase") else cut) + suffix

    provisioners._physical_name = named


def _wait_for_services(provisioners):
    """Lets CloudFormation wait for an ECS service, as AWS does: until it is steady, and until its tasks have stopped."""
    service = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    create, update, delete = service["create"], service["update"], service["delete"]

    def whole_numbers(properties):
        # The template may take the count from a parameter, which CloudFormation hands on as a string.
        if "DesiredCount" not in properties:
            return properties
        return {**properties, "DesiredCount": int(properties["DesiredCount"])}

    def steady_create(logical_id, properties, stack_name):
        made = create(logical_id, whole_numbers(properties), stack_name)
        try:
            _await_steady(made[0])
        except Exception:
            steady_delete(made[0], properties)
            raise
        return made

    def steady_update(physical_id, old, new, stack_name):
        made = update(physical_id, whole_numbers(old), whole_numbers(new), stack_name)
        _await_steady(made[0])
        return made

    def steady_delete(physical_id, properties):
        delete(physical_id, properties)
        _await_no_tasks(physical_id)

    service.update({"create": steady_create, "update": steady_update, "delete": steady_delete})


def _await_steady(service_arn):
    from ministack.services import ecs

    key = service_arn.split(":service/", 1)[1]
    began = ecs._primary_deployment(ecs._services[key])["id"]
    deadline = time.monotonic() + STEADY_SECONDS
    while time.monotonic() < deadline:
        service = ecs._services.get(key) or {}
        deployment = next((d for d in service.get("deployments", []) if d["id"] == began), None)
        if deployment is None or deployment["rolloutState"] == "FAILED":
            raise ValueError("Resource handler returned message: \"Error occurred during operation 'ECS Deployment "
                             f"Circuit Breaker was triggered'.\" {_last_stop(key)}")
        if deployment["rolloutState"] == "COMPLETED":
            return
        time.sleep(0.1)
    raise ValueError(f"Service {key} did not become steady within {STEADY_SECONDS} s. {_last_stop(key)}")


def _await_no_tasks(service_arn):
    import ecs_tasks

    key = service_arn.split(":service/", 1)[1]
    deadline = time.monotonic() + STEADY_SECONDS
    while ecs_tasks.unfinished_tasks(key) and time.monotonic() < deadline:
        time.sleep(0.05)


def _last_stop(key):
    from ministack.services import ecs

    group = "service:" + key.split("/", 1)[1]
    reasons = [task["stoppedReason"] for task in ecs._tasks.values()
               if task.get("group") == group and task.get("stoppedReason")]
    return f"Last stopped task: {reasons[-1]}" if reasons else ""
