"""Who is a caller, what may it do, and the credentials of roles: for requests that the Go process serves."""

import hashlib
import json
import time
import uuid

import bridge


def count_as_tls():
    """Lets every request count as sent over TLS (aws:SecureTransport), which on AWS it would be: policies that demand it
    are right, and this machine's loopback has no certificate."""
    from ministack import app

    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _secure: pin(source_ip, True)


# SQS checks a batch as its entries; there are no actions for batches.
_CHECKED_AS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


def check_batches_as_entries():
    from ministack.core import iam_actions

    extract = iam_actions.extract_iam_action

    def extracted(*args, **kwargs):
        action = extract(*args, **kwargs)
        return _CHECKED_AS.get(action, action)

    iam_actions.extract_iam_action = extracted


def check_log_streams():
    """Checks calls about a log stream on the stream, as AWS does, so that a policy on <log group ARN>:* covers them."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

    def extracted(service, method, path, headers, body, *args):
        arn = extract(service, method, path, headers, body, *args)
        if service != "logs":
            return arn
        try:
            stream = json.loads(body or b"{}").get("logStreamName")
        except (ValueError, AttributeError):
            return arn
        if not stream or ":log-stream:" in arn:
            return arn
        return f"{arn.removesuffix(':*')}:log-stream:{stream}"

    iam_actions.extract_resource_arn = extracted


def identify(request):
    """The principal of an access key: {"arn", "root"}, or {"code", "message"} of AWS's refusal."""
    from ministack.core.iam_evaluator import CredentialResolutionError, resolve_credential

    found = resolve_credential(request["accessKey"], request["account"], request.get("sessionToken") or "")
    if isinstance(found, CredentialResolutionError):
        return {"code": found.code, "message": found.message}
    return {"arn": found.principal_arn, "root": found.principal_type == "Root"}


def authorize(request):
    """Evaluates the caller's policies: {} when allowed, else {"code", "message"} in AWS's words."""
    from ministack.core.iam_actions import identity_denial_message
    from ministack.core.iam_evaluator import AuthError, enforce
    from ministack.core.responses import request_scope

    action, resource = request["action"], request["resource"]
    with request_scope(request["account"], request["region"]):
        denied = enforce(request["accessKey"], action, action.split(":")[0], request["region"],
                         resource_arn=resource, service_context=request.get("context") or {})
    if denied is None:
        return {}
    if isinstance(denied, AuthError):
        return {"code": denied.code, "message": denied.message}
    return {"code": "AccessDeniedException",
            "message": identity_denial_message(action, denied.principal_arn, resource, denied.decision == "Deny")}


def role_credentials(request):
    """Temporary credentials of a role for a service that its trust policy names, as ECS gets them for a task."""
    from ministack.core.responses import request_scope
    from ministack.services import iam, sts

    role_arn, service, session = request["role"], request["service"], request["session"]
    role_name = role_arn.rsplit("/", 1)[-1]
    with request_scope(request["account"], request["region"]):
        role = iam._roles.get(role_name)
    if not role or role.get("Arn") != role_arn or not _trusts(role, service):
        raise bridge.Refused(
            f"ECS was unable to assume the role '{role_arn}' that was provided for this task. Please verify that the "
            "role being passed has the proper trust relationship and permissions." if service.startswith("ecs-tasks.")
            else f"{service} is not allowed to assume the role '{role_arn}', or there is none.")
    secret = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
    access_key = "ASIA" + secret[:16].upper()
    credentials = {"accessKey": access_key, "secretKey": secret, "sessionToken": uuid.uuid4().hex,
                   "expiration": time.time() + request["seconds"]}
    sts.register_session(access_key, {
        "Arn": f"arn:aws:sts::{request['account']}:assumed-role/{role_name}/{session}",
        "UserId": f"{role.get('RoleId', role_name)}:{session}",
        "SecretAccessKey": secret,
        "SessionToken": credentials["sessionToken"],
        "Expiration": credentials["expiration"],
        "AccountId": request["account"],
    })
    return credentials


def _trusts(role, service):
    document = role.get("AssumeRolePolicyDocument") or {}
    if isinstance(document, str):
        document = json.loads(document)
    for statement in _listed(document.get("Statement")):
        services = _listed((statement.get("Principal") or {}).get("Service"))
        if statement.get("Effect") == "Allow" and service in services and "sts:AssumeRole" in _listed(
                statement.get("Action")):
            return True
    return False


def _listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


ROUTES = {"iam/identify": identify, "iam/authorize": authorize, "iam/role-credentials": role_credentials}
