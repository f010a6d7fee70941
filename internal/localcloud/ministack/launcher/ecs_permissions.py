"""On which resource ECS checks each action, and the cluster as a condition: MiniStack checks all on the cluster.

Source: "Actions, resources, and condition keys for Amazon Elastic Container Service" in the Service Authorization
Reference. An action that is not named here has no resource: a policy must say "*". Of several services or tasks in a
call the first is checked.
"""

import json

# Action -> type of the resource, and the member of the request that names it.
_CHECKED_ON = {
    "CreateService": ("service", "serviceName"),
    "UpdateService": ("service", "service"),
    "DeleteService": ("service", "service"),
    "DescribeServices": ("service", "services"),
    "ListServiceDeployments": ("service", "service"),
    "DescribeServiceDeployments": ("service-deployment", "serviceDeploymentArns"),
    "DescribeServiceRevisions": ("service-revision", "serviceRevisionArns"),
    "StopServiceDeployment": ("service-deployment", "serviceDeploymentArn"),
    "DescribeTasks": ("task", "tasks"),
    "StopTask": ("task", "task"),
    "GetTaskProtection": ("task", "tasks"),
    "UpdateTaskProtection": ("task", "tasks"),
    "ListTasks": ("container-instance", "containerInstance"),
    "RunTask": ("task-definition", "taskDefinition"),
    "RegisterTaskDefinition": ("task-definition", "family"),
    "DeleteCluster": ("cluster", "cluster"),
    "DescribeClusters": ("cluster", "clusters"),
    "UpdateCluster": ("cluster", "cluster"),
    "PutClusterCapacityProviders": ("cluster", "cluster"),
}
_TAGGING = ("TagResource", "UntagResource", "ListTagsForResource")


def install():
    from ministack.core import iam_actions

    extract, context = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def extracted(service, method, path, headers, body, params, region, account):
        if service != "ecs":
            return extract(service, method, path, headers, body, params, region, account)
        return resource(headers.get("x-amz-target", "").rsplit(".", 1)[-1], _members(body), region, account)

    def with_cluster(service, action, body, params):
        found = context(service, action, body, params)
        if service == "ecs" and "cluster" in _members(body):
            from ministack.core.responses import get_account_id, get_region

            name = _members(body)["cluster"].rsplit("/", 1)[-1]
            found["ecs:cluster"] = f"arn:aws:ecs:{get_region()}:{get_account_id()}:cluster/{name}"
        return found

    iam_actions.extract_resource_arn, iam_actions.request_tag_context = extracted, with_cluster


def resource(action, members, region, account):
    """The ARN that a policy has to allow."""
    if action in _TAGGING:
        return members.get("resourceArn") or "*"
    if action not in _CHECKED_ON:
        return "*"
    kind, member = _CHECKED_ON[action]
    named = members.get(member)
    if isinstance(named, list):
        named = named[0] if named else None
    if isinstance(named, str) and named.startswith("arn:"):
        return named
    cluster = str(members.get("cluster") or "default").rsplit("/", 1)[-1]
    if kind == "cluster":
        path = named or cluster
    elif kind == "task-definition":
        path = _with_revision(action, named or "*")
    else:
        path = f"{cluster}/{named or '*'}"
    return f"arn:aws:ecs:{region}:{account}:{kind}/{path}"


def _with_revision(action, name):
    """A family alone means its newest revision; one that is being registered has no number yet."""
    from ministack.services import ecs

    if ":" in name:
        return name
    return f"{name}:*" if action == "RegisterTaskDefinition" else ecs._resolve_td_key(name)


def _members(body):
    try:
        members = json.loads(body or b"{}")
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
