"""Runs MiniStack with the parts that it lacks.

Started by the Go package beside this folder, which writes one line of JSON to standard input (see `launch` in
process.go) and keeps that pipe open: when it closes, the Go process is gone and this one stops as well. Secrets come
that way and not by the environment, because MiniStack hands its environment on to every Lambda function.
"""

import asyncio
import json
import os
import signal
import sys
import threading

from hypercorn.asyncio import serve
from hypercorn.config import Config

import announce
import bridge
import ecs_deployments
import ecs_permissions
import ecs_tasks
import events
import execution_logs
import iam_questions
import latency
import queues
import resource_types
import state_machines


def stop_with_parent():
    """Waits for the end of standard input, then stops this process like Ctrl-C would."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=stop_with_parent, daemon=True).start()

    go = bridge.GoProcess(settings["goAddress"], settings["token"])
    latency.reduce()
    iam_questions.count_as_tls()
    iam_questions.check_batches_as_entries()
    iam_questions.check_log_streams()
    ecs_permissions.install()
    events.scale_schedules(settings["speed"])
    ecs_tasks.install(go)
    ecs_deployments.install()
    announce.install()
    state_machines.honour_computed_timeouts()
    state_machines.check_tokens_by_machine()
    execution_logs.install()
    resource_types.install(go, settings["resourceTypes"])

    from ministack.app import app

    routes = {**iam_questions.ROUTES, **ecs_tasks.ROUTES, **events.ROUTES, **queues.ROUTES}
    config = Config()
    config.bind = [settings["bind"]]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.graceful_timeout = 1
    asyncio.run(serve(bridge.with_routes(app, routes, settings["token"]), config))


if __name__ == "__main__":
    main()
