"""ECS tasks that run somewhere: MiniStack keeps the records, the Go process (package agent) runs the processes.

MiniStack has two ways to run tasks: as Docker containers, with the whole life cycle of a task and of a deployment, or,
without Docker, as records that are RUNNING at once. Here it believes that it has Docker, and where it would talk to
Docker it asks the agent instead:

    RunTask, scale-out, replacement      -> task PENDING, "ecs/run" to the agent
    agent: the process runs              -> RUNNING
    StopTask, scale-in, deployment       -> desired STOPPED, "ecs/stop" to the agent
    agent: the process has ended         -> STOPPED with its exit code; a service replaces it

Task protection, which MiniStack only answers as a stub, is real: the scheduler leaves protected tasks alone.
"""

import logging
import threading
import time

import announce
import bridge

logger = logging.getLogger("localcloud")

SCALE_IN = "Service scaling down"
DEPLOYMENT_REASONS = ("Deployment completed", "Task definition updated", "Deployment capacity limit")

_go = None


def install(go):
    from ministack.services import ecs

    global _go
    _go = go
    ecs._docker = object()  # anything that is true: "there is something that runs containers"
    ecs._deployment_needs_first_task = lambda *_: False  # image digests are resolved by the agent
    ecs._run_task_worker = _run
    ecs._stop_task = _stop_for_scheduler
    ecs._make_deployment = _deployment_in_progress(ecs._make_deployment)
    ecs._ACTION_MAP.update({
        "StopTask": _stop_for_caller,
        "UpdateTaskProtection": _update_protection,
        "GetTaskProtection": _get_protection,
    })
    threading.Thread(target=_stop_when_unprotected, daemon=True, name="localcloud-protection").start()


# --- starting ---------------------------------------------------------------------------------------------------------


def _deployment_in_progress(make):
    def made(task_definition, desired_count, status="PRIMARY"):
        deployment = make(task_definition, desired_count, status)
        if desired_count > 0:
            deployment |= {"rolloutState": "IN_PROGRESS", "rolloutStateReason": f"ECS deployment {deployment['id']} "
                                                                              "in progress."}
        return deployment

    return made


def _run(task, definition, overrides, _docker, account, region):
    from ministack.core.responses import request_scope
    from ministack.services import ecs

    with request_scope(account, region):
        if task.get("_deployment_id"):
            task["startedBy"] = task["_deployment_id"]
        if not ecs._mark_task_pending(task["taskArn"], task):
            return
        try:
            _go.call("ecs/run", {
                "account": account, "region": region, "arn": task["taskArn"], "clusterArn": task["clusterArn"],
                "group": task.get("group", ""), "launchType": task.get("launchType", ""),
                "capacityProvider": task.get("capacityProviderName") or "",
                "availabilityZone": task.get("availabilityZone", ""), "definition": definition,
                "containerOverrides": overrides,
            })
        except Exception as error:
            ecs._mark_task_stopped(task["taskArn"], task, f"ResourceInitializationError: {error}", "TaskFailedToStart")


def task_running(request):
    """The agent: every container of the task runs."""
    from ministack.services import ecs

    with _scope(request):
        task = _task(request["arn"])
        if not ecs._mark_task_running(request["arn"], task):
            return
        for container in task["containers"]:
            container["lastStatus"] = "RUNNING"
            container["runtimeId"] = request["arn"].rsplit("/", 1)[-1]
            if request.get("imageDigest"):
                container["imageDigest"] = request["imageDigest"]
        cluster, key = _service_key(task)
        if key:
            ecs._schedule_service_deployment_completion(cluster, key, request["account"], request["region"],
                                                        healthy_task=task)
        _announce(request["account"], request["region"], task)


def task_health(request):
    """The agent: what the container's health check says."""
    with _scope(request):
        task = _task(request["arn"])
        task["healthStatus"] = request["status"]
        for container in task["containers"]:
            container["healthStatus"] = request["status"]


# --- stopping ---------------------------------------------------------------------------------------------------------


def _stop_for_caller(data):
    """StopTask: protected or not, the task stops, and its service starts another."""
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import ecs

    task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
    if not task:
        return error_response_json("InvalidParameterException", "The referenced task was not found.", 400)
    _begin_stop(task, data.get("reason") or "Task stopped by user", "UserInitiated")
    answer = json_response({"task": ecs._sanitize(task)})
    _reconcile(task)
    return answer


def _stop_for_scheduler(data):
    """What MiniStack's service scheduler calls for each task that it does not want any more."""
    from ministack.core.responses import json_response
    from ministack.services import ecs

    reason = data.get("reason", "")
    task = ecs._resolve_task(data["task"], data.get("cluster", "default"))
    if task is None:
        return json_response({})
    if reason == SCALE_IN and not _may_stop(task):
        task["_stop_blocked"] = _is_active(task)
        task = _another(task)
    elif reason in DEPLOYMENT_REASONS and _protected(task):
        task["_stop_blocked"] = True
        task = None
    if task is not None:
        deployment = task.get("_deployment_id") or "unknown"
        words = reason if reason == "Service deleted" else f"Scaling activity initiated by (deployment {deployment})"
        _begin_stop(task, words, "ServiceSchedulerInitiated")
    return json_response({})


def _another(task):
    """The newest task that may go instead of one that is protected or going already."""
    from ministack.services import ecs

    others = [other for other in ecs._tasks.values()
              if other.get("group") == task.get("group") and other.get("clusterArn") == task.get("clusterArn")
              and other.get("_deployment_id") == task.get("_deployment_id") and _may_stop(other)]
    return max(others, key=lambda other: other.get("createdAt") or "", default=None)


def _begin_stop(task, reason, code):
    """Desired status STOPPED; the agent ends the process and reports it."""
    from ministack.core.concurrency import resource_lock
    from ministack.services import ecs

    with resource_lock("ecs-task", task["taskArn"]):
        if not _is_active(task):
            return
        ecs._bump_task_version(task)
        task |= {"desiredStatus": "STOPPED", "lastStatus": "STOPPING", "stoppingAt": ecs._iso(),
                 "stoppedReason": reason, "stopCode": code, "_stop_blocked": False}
    _count(task)
    threading.Thread(target=_tell_agent_to_stop, args=(task["taskArn"], reason), daemon=True).start()


def _tell_agent_to_stop(arn, reason):
    try:
        _go.call("ecs/stop", {"arn": arn, "reason": reason})
    except Exception as error:
        logger.warning("the agent did not take the order to stop %s: %s", arn, error)


def task_stopped(request):
    """The agent: the process of a task has ended, by itself or because it was asked to, or never began."""
    from ministack.core.concurrency import resource_lock
    from ministack.services import ecs

    with _scope(request):
        task = _task(request["arn"])
        for container in task["containers"]:
            if request.get("exitCode") is not None:
                container["exitCode"] = request["exitCode"]
            if request.get("containerReason"):
                container["reason"] = request["containerReason"]
        if _is_active(task):
            ecs._mark_task_stopped(request["arn"], task, request["reason"], request["stopCode"])
            if request["stopCode"] not in ("EssentialContainerExited", "TaskFailedToStart"):
                ecs._record_service_task_failure(task)  # these two count in _mark_task_stopped
            _announce(request["account"], request["region"], task)
            return
        with resource_lock("ecs-task", request["arn"]):
            if task["lastStatus"] == "STOPPED":
                return
            ecs._bump_task_version(task)
            task |= {"lastStatus": "STOPPED", "stoppedAt": ecs._iso(), "executionStoppedAt": ecs._iso()}
            for container in task["containers"]:
                container["lastStatus"] = "STOPPED"
        _count(task)
        _announce(request["account"], request["region"], task)


def unfinished_tasks(service_key):
    """How many tasks of a service (cluster/name) have a process that may still run."""
    from ministack.services import ecs

    return sum(1 for task in ecs._tasks.values()
               if task.get("lastStatus") != "STOPPED" and _service_key(task)[1] == service_key)


# --- protection -------------------------------------------------------------------------------------------------------


def _update_protection(data):
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import ecs

    enable, minutes = data.get("protectionEnabled"), data.get("expiresInMinutes")
    if not isinstance(enable, bool):
        return error_response_json("InvalidParameterException", "protectionEnabled must be specified.", 400)
    if enable and minutes is not None and not (isinstance(minutes, int) and 1 <= minutes <= 2880):
        return error_response_json(
            "InvalidParameterException", "expiresInMinutes must be between 1 and 2880 inclusive.", 400)
    if len(data.get("tasks") or []) > 10 or not data.get("tasks"):
        return error_response_json("InvalidParameterException", "tasks must hold 1 to 10 tasks.", 400)
    answer = {"protectedTasks": [], "failures": []}
    for arn, task in _named_tasks(data):
        refusal = _protection_refusal(task, enable)
        if refusal:
            answer["failures"].append({"arn": arn, "reason": refusal})
            continue
        task["_protected_until"] = time.time() + 60 * (minutes or 120) if enable else 0
        answer["protectedTasks"].append(_protection(task))
        if not enable and task.get("_stop_blocked"):
            _reconcile(task)
    return json_response(answer)


def _protection_refusal(task, enable):
    """ECS's reason not to change the protection of a task, or None."""
    from ministack.services import ecs

    if task is None:
        return "MISSING"
    cluster, key = _service_key(task)
    if not key or not _is_active(task):
        return "TASK_NOT_VALID"
    # A deployment that waits for this very task gets no further delay.
    primary = ecs._primary_deployment(ecs._services.get(key) or {}) or {}
    if enable and task.get("_stop_blocked") and task.get("_deployment_id") != primary.get("id"):
        return "DEPLOYMENT_BLOCKED"
    return None


def _get_protection(data):
    from ministack.core.responses import json_response
    from ministack.services import ecs

    answer = {"protectedTasks": [], "failures": []}
    named = list(_named_tasks(data)) if data.get("tasks") else [
        (task["taskArn"], task) for task in ecs._tasks.values() if _service_key(task)[1] and _is_active(task)]
    for arn, task in named:
        if task is None:
            answer["failures"].append({"arn": arn, "reason": "MISSING"})
        else:
            answer["protectedTasks"].append(_protection(task))
    return json_response(answer)


def _named_tasks(data):
    from ministack.services import ecs

    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    for reference in data.get("tasks") or []:
        task = ecs._resolve_task(reference, cluster)
        yield (task["taskArn"] if task else reference), task


def _protection(task):
    view = {"taskArn": task["taskArn"], "protectionEnabled": _protected(task)}
    if view["protectionEnabled"]:
        view["expirationDate"] = task["_protected_until"]
    return view


def _protected(task):
    return time.time() < task.get("_protected_until", 0)


def _stop_when_unprotected():
    """Stops tasks whose protection has run out while the scheduler was waiting for them."""
    from ministack.core.responses import request_scope
    from ministack.services import ecs

    while True:
        time.sleep(0.5)
        for (account, region, _), task in list(ecs._tasks._data.items()):
            if task.get("_stop_blocked") and not _protected(task):
                task["_stop_blocked"] = False
                with request_scope(account, region):
                    _reconcile(task)


# --- views and small things -------------------------------------------------------------------------------------------


def services(_request):
    """Every active service with its counts, as Container Insights counts them."""
    from ministack.services import ecs

    found = []
    for (account, region, key), service in list(ecs._services._data.items()):
        if service.get("status") != "ACTIVE":
            continue
        cluster, name = key.split("/", 1)
        protected = [task["taskArn"] for (a, r, _), task in list(ecs._tasks._data.items())
                     if (a, r) == (account, region) and _service_key(task)[1] == key and _is_active(task)
                     and _protected(task)]
        found.append({
            "account": account, "region": region, "cluster": cluster, "name": name,
            "desired": service.get("desiredCount", 0), "running": service.get("runningCount", 0),
            "pending": service.get("pendingCount", 0), "protected": len(protected),
            "deployments": len(service.get("deployments", [])),
            "deploying": any(d.get("rolloutState") == "IN_PROGRESS" for d in service.get("deployments", [])),
        })
    return {"services": found}


def _scope(request):
    from ministack.core.responses import request_scope

    return request_scope(request["account"], request["region"])


def _task(arn):
    from ministack.services import ecs

    task = ecs._tasks.get(arn)
    if task is None:
        raise bridge.Refused(f"no task {arn}")
    return task


def _service_key(task):
    """(cluster, cluster/service) of a service's task, else (cluster, None)."""
    from ministack.services import ecs

    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    kind, _, name = (task.get("group") or "").partition(":")
    return cluster, f"{cluster}/{name}" if kind == "service" else None


def _is_active(task):
    return task.get("desiredStatus") != "STOPPED" and task.get("lastStatus") != "STOPPED"


def _may_stop(task):
    return _is_active(task) and not _protected(task)


def _announce(account, region, task):
    from ministack.services import ecs

    announce.task(account, region, ecs._sanitize(task))


def _reconcile(task):
    from ministack.services import ecs

    cluster, key = _service_key(task)
    if key:
        ecs._reconcile_service_tasks(cluster, key)


def _count(task):
    from ministack.services import ecs

    cluster, _ = _service_key(task)
    ecs._recount_cluster(cluster)
    ecs._refresh_service_state(cluster, task.get("group", ""))


ROUTES = {
    "ecs/task-running": task_running,
    "ecs/task-health": task_health,
    "ecs/task-stopped": task_stopped,
    "ecs/services": services,
}
