"""Step Functions: time limits that a state takes from its input."""


def honour_computed_timeouts():
    """TimeoutSecondsPath, and TimeoutSeconds as a JSONata expression. MiniStack ignores the one and fails at the other."""
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_task

    def executed(state, raw_input, execution, context):
        path, limit = state.get("TimeoutSecondsPath"), state.get("TimeoutSeconds")
        if path:
            limit = stepfunctions._resolve_path_or_ctx(path, raw_input, context)
        elif isinstance(limit, str):
            limit = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, context)
        if limit is not None:
            state = {**state, "TimeoutSeconds": limit}
        return execute(state, raw_input, execution, context)

    stepfunctions._execute_task = executed
