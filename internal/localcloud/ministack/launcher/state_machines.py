"""Step Functions: time limits that a state takes from its input, and who may answer a task token."""

import collections
import json
import threading

# Task token -> ARN of the machine that waits for it. The newest ones: a token may be answered too late.
_owners = collections.OrderedDict()
_KEPT_TOKENS = 1000

_running = threading.local()  # .machine: ARN of the machine whose state this thread executes


def honour_computed_timeouts():
    """TimeoutSecondsPath, and TimeoutSeconds as a JSONata expression. MiniStack ignores the one and fails at the other."""
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_task

    def executed(state, raw_input, execution, context):
        _running.machine = execution["stateMachineArn"]
        path, limit = state.get("TimeoutSecondsPath"), state.get("TimeoutSeconds")
        if path:
            limit = stepfunctions._resolve_path_or_ctx(path, raw_input, context)
        elif isinstance(limit, str):
            limit = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, context)
        if limit is not None:
            state = {**state, "TimeoutSeconds": limit}
        return execute(state, raw_input, execution, context)

    stepfunctions._execute_task = executed


def check_tokens_by_machine():
    """Checks SendTaskSuccess and its like on the state machine whose token is answered, as AWS does. Needs
    honour_computed_timeouts."""
    from ministack.core import iam_actions
    from ministack.services import stepfunctions

    invoke, extract = stepfunctions._invoke_with_callback, iam_actions.extract_resource_arn

    def invoked(resource, input_data, token, state_def):
        _owners[token] = _running.machine
        while len(_owners) > _KEPT_TOKENS:
            _owners.popitem(last=False)
        return invoke(resource, input_data, token, state_def)

    def extracted(service, method, path, headers, body, *args):
        if service == "states" and ".SendTask" in headers.get("x-amz-target", ""):
            try:
                return _owners.get(json.loads(body or b"{}").get("taskToken"), "*")
            except (ValueError, AttributeError):
                return "*"
        return extract(service, method, path, headers, body, *args)

    stepfunctions._invoke_with_callback, iam_actions.extract_resource_arn = invoked, extracted
