"""The history of a service's deployments: ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions,
which MiniStack answers with empty lists; and the events of deployments, which it does not send.

MiniStack keeps the deployments that a service has now, in DescribeServices. This module looks at them several times a
second, and before it answers, and remembers each:

    rollout state of the deployment                      status of the service deployment
    IN_PROGRESS                                          IN_PROGRESS
    COMPLETED                                            SUCCESSFUL
    FAILED, an older one is primary again                ROLLBACK_IN_PROGRESS, then ROLLBACK_SUCCESSFUL
    FAILED, no rollback; or replaced before it was done  STOPPED
"""

import logging
import threading
import time

import announce

logger = logging.getLogger("localcloud")

# (service ARN, deployment id) -> record, oldest first. A record is what DescribeServiceDeployments answers, and
# "_state", the deployment's last rollout state.
_records = {}
_lock = threading.Lock()


def install():
    from ministack.services import ecs

    ecs._ACTION_MAP.update({
        "ListServiceDeployments": _list,
        "DescribeServiceDeployments": _describe,
        "DescribeServiceRevisions": _describe_revisions,
        "UpdateService": _refusing_inactive(_of_primary(ecs._update_service)),
        "CreateService": _refusing_inactive(ecs._create_service),
    })
    threading.Thread(target=_watch, daemon=True, name="localcloud-deployments").start()


def _refusing_inactive(call):
    def called(data):
        from ministack.core.responses import error_response_json
        from ministack.services import ecs

        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition") or ""))
        if definition and definition.get("status") == "INACTIVE":
            return error_response_json("ClientException", "TaskDefinition is inactive", 400)
        return call(data)

    return called


def _of_primary(update):
    """MiniStack gives a new desired count to the newest deployment, which after a rollback is the failed one."""

    def called(data):
        from ministack.core.concurrency import resource_lock
        from ministack.services import ecs

        cluster = ecs._resolve_cluster_name(data.get("cluster"))
        reference = ecs._resolve_service_ref(data.get("service"))
        key = f"{cluster}/{reference[0]}" if cluster and reference else ""
        service = ecs._services.get(key)
        if service:
            with resource_lock("ecs-service", key):
                service["deployments"] = sorted(service["deployments"], key=lambda d: d.get("status") != "PRIMARY")
        return update(data)

    return called


# --- watching ---------------------------------------------------------------------------------------------------------


def _watch():
    while True:
        time.sleep(0.2)
        try:
            _look()
        except Exception:
            logger.exception("the deployments could not be read")


def _look():
    from ministack.services import ecs

    with _lock:
        for (account, region, key), service in list(ecs._services._data.items()):
            deployments = list(service.get("deployments", []))
            for deployment in reversed(deployments):  # oldest first
                _look_at(account, region, key, service, deployment)
            _settle(service, deployments)


def _look_at(account, region, key, service, deployment):
    record = _records.get((service["serviceArn"], deployment["id"]))
    if record is None:
        record = _new_record(account, region, key, service, deployment)
        _records[(service["serviceArn"], deployment["id"])] = record
    state = deployment.get("rolloutState")
    if record["_state"] == state:
        return
    record["_state"] = state
    record["updatedAt"] = time.time()
    record["statusReason"] = deployment.get("rolloutStateReason", "")
    announce.deployment(account, region, service["serviceArn"], deployment)


def _new_record(account, region, key, service, deployment):
    name = deployment["id"].rsplit("/", 1)[-1]
    now = time.time()
    return {
        "serviceDeploymentArn": f"arn:aws:ecs:{region}:{account}:service-deployment/{key}/{name}",
        "serviceArn": service["serviceArn"], "clusterArn": service["clusterArn"],
        "createdAt": now, "startedAt": now, "updatedAt": now, "status": "IN_PROGRESS", "statusReason": "",
        "targetServiceRevision": {
            "arn": f"arn:aws:ecs:{region}:{account}:service-revision/{key}/{name}",
            "requestedTaskCount": deployment.get("desiredCount", 0),
        },
        "deploymentConfiguration": service.get("deploymentConfiguration", {}),
        "_state": None, "_revision": {
            "taskDefinition": deployment.get("taskDefinition"), "launchType": deployment.get("launchType"),
            "capacityProviderStrategy": deployment.get("capacityProviderStrategy") or [], "createdAt": now,
        },
    }


def _settle(service, deployments):
    """Gives each record of a service the status that follows from all of them. A deployment that was rolled back is no
    deployment of the service any more."""
    primary = next((d for d in deployments if d.get("status") == "PRIMARY"), None)
    for (arn, identifier), record in _records.items():
        if arn != service["serviceArn"] or record.get("finishedAt"):
            continue
        is_primary = primary is not None and primary["id"] == identifier
        if record["_state"] == "COMPLETED":
            _finish(record, "SUCCESSFUL")
        elif record["_state"] == "FAILED":
            _settle_failed(record, primary, is_primary)
            if record["status"] == "ROLLBACK_SUCCESSFUL":
                _forget(service, identifier)
        elif not is_primary:
            _finish(record, "STOPPED")


def _forget(service, identifier):
    from ministack.core.concurrency import resource_lock

    with resource_lock("ecs-service", f"{service['clusterArn'].rsplit('/', 1)[-1]}/{service['serviceName']}"):
        service["deployments"] = [d for d in service["deployments"] if d["id"] != identifier]


def _settle_failed(record, primary, is_primary):
    if primary is None or is_primary:
        _finish(record, "STOPPED")
        return
    target = _records.get((record["serviceArn"], primary["id"]))
    if target:
        record["rollback"] = {"reason": record["statusReason"], "startedAt": record["updatedAt"],
                              "serviceRevisionArn": target["targetServiceRevision"]["arn"]}
    record["status"] = "ROLLBACK_IN_PROGRESS"
    if primary.get("rolloutState") == "COMPLETED":
        _finish(record, "ROLLBACK_SUCCESSFUL")


def _finish(record, status):
    record["status"] = status
    record["finishedAt"] = record["updatedAt"] = time.time()


# --- answering --------------------------------------------------------------------------------------------------------

_BRIEF = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt", "status",
          "statusReason")


def _list(data):
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import ecs

    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    reference = ecs._resolve_service_ref(data.get("service", ""))
    service = ecs._services.get(f"{cluster}/{reference[0]}") if cluster and reference else None
    if not service:
        return error_response_json("ServiceNotFoundException", "Service not found.", 400)
    _look()
    wanted, created = data.get("status") or [], data.get("createdAt") or {}
    with _lock:
        found = [record for (arn, _), record in _records.items()
                 if arn == service["serviceArn"] and (not wanted or record["status"] in wanted)
                 and created.get("after", 0) <= record["createdAt"] <= created.get("before", float("inf"))]
        found.sort(key=lambda record: record["createdAt"], reverse=True)
        start = int(data.get("nextToken") or 0)
        size = min(int(data.get("maxResults") or 20), 100)
        answer = {"serviceDeployments": [
            {name: record[name] for name in _BRIEF if name in record}
            | {"targetServiceRevisionArn": record["targetServiceRevision"]["arn"]}
            for record in found[start:start + size]]}
        if start + size < len(found):
            answer["nextToken"] = str(start + size)
    return json_response(answer)


def _describe(data):
    from ministack.core.responses import json_response
    from ministack.services import ecs

    _look()
    answer = {"serviceDeployments": [], "failures": []}
    with _lock:
        for arn in data.get("serviceDeploymentArns") or []:
            record = next((r for r in _records.values() if r["serviceDeploymentArn"] == arn), None)
            if record is None:
                answer["failures"].append({"arn": arn, "reason": "MISSING"})
            else:
                answer["serviceDeployments"].append(ecs._sanitize(record))
    return json_response(answer)


def _describe_revisions(data):
    from ministack.core.responses import json_response
    from ministack.services import ecs

    _look()
    answer = {"serviceRevisions": [], "failures": []}
    with _lock:
        for arn in data.get("serviceRevisionArns") or []:
            record = next((r for r in _records.values() if r["targetServiceRevision"]["arn"] == arn), None)
            if record is None:
                answer["failures"].append({"arn": arn, "reason": "MISSING"})
                continue
            answer["serviceRevisions"].append(ecs._sanitize({
                "serviceRevisionArn": arn, "serviceArn": record["serviceArn"], "clusterArn": record["clusterArn"],
                **record["_revision"], "containerImages": _images(record)}))
    return json_response(answer)


def _images(record):
    """The images of a revision's containers, by digest once a task of it has run."""
    from ministack.services import ecs

    definition = ecs._task_defs.get(ecs._resolve_td_key(record["_revision"]["taskDefinition"] or "")) or {}
    digests = {}
    for task in ecs._tasks.values():
        if task.get("_deployment_id", "").rsplit("/", 1)[-1] == record["serviceDeploymentArn"].rsplit("/", 1)[-1]:
            for container in task.get("containers", []):
                if container.get("imageDigest"):
                    digests[container["name"]] = container["imageDigest"]
    images = []
    for container in definition.get("containerDefinitions", []):
        image = {"containerName": container["name"], "image": container.get("image", "")}
        _, at, digest = image["image"].partition("@")
        if at or container["name"] in digests:
            image["imageDigest"] = digest or digests[container["name"]]
        images.append(image)
    return images
