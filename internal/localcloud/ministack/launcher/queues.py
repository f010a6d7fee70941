"""SQS: messages that were handed to a client that had left its long poll."""

import time


def give_back(request):
    """Makes messages visible again as if they had not been received: a receipt that nobody saw must not count towards the
    redrive policy. While many tasks stop, one message can meet several polls that were left."""
    from ministack.core.responses import request_scope
    from ministack.services import sqs

    receipts = set(request["receipts"])
    with request_scope(request["account"], request["region"]), sqs._queues_lock:
        for message in sqs._get_q(request["queueUrl"])["messages"]:
            if message.get("receipt_handle") in receipts:
                message["visible_at"] = time.time()
                message["receive_count"] = max(0, message["receive_count"] - 1)


ROUTES = {"sqs/give-back": give_back}
