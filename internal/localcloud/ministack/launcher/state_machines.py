"""Step Functions: time limits that a state takes from its input."""


def honour_timeout_paths():
    """TimeoutSecondsPath, which MiniStack ignores: a state would wait for a task token for a day."""
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_task

    def executed(state, raw_input, execution, context):
        path = state.get("TimeoutSecondsPath")
        if path:
            state = {**state, "TimeoutSeconds": stepfunctions._resolve_path_or_ctx(path, raw_input, context)}
        return execute(state, raw_input, execution, context)

    stepfunctions._execute_task = executed
