"""A worker in fifty lines of another language that keeps docs/worker-contract.md; only to test that, for it does not
sign its requests. It speaks AWS's JSON protocol: POST to the endpoint, the action in X-Amz-Target."""
import contextlib, json, os, signal, socket, sys, threading, time, urllib.request
E, stop, held, durations = os.environ, threading.Event(), [], []
LEASE, PERIOD, END = (float(E[name + "_SECONDS"]) for name in ("VISIBILITY_TIMEOUT", "METRIC_PERIOD", "STOP_TIMEOUT"))
def call(target, **body):
    head = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    request = urllib.request.Request(E["AWS_ENDPOINT_URL"], json.dumps(body).encode(), head)
    return json.load(urllib.request.urlopen(request, timeout=30))
def sqs(action, queue="QUEUE_URL", **body): return call("AmazonSQS." + action, QueueUrl=E[queue], **body)
def change(handle, pause): sqs("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=int(pause))
def forever(pause, work):  # in a thread of its own, whatever fails
    def loop():
        while not time.sleep(pause):
            with contextlib.suppress(Exception): work()
    threading.Thread(target=loop, daemon=True).start()
def publish():
    values, durations[:] = durations[:], []
    names = [{"Name": "Type", "Value": E["METRIC_TYPE"]}, {"Name": "QueueName", "Value": E["QUEUE_NAME"]}]
    data = dict(MetricName="MsgProcessingDuration", Unit="Seconds", Dimensions=names, Values=values,
                Counts=[1] * len(values), Timestamp=time.time() // PERIOD * PERIOD)
    if values: call("GraniteServiceVersion20100801.PutMetricData", Namespace=E["METRIC_NAMESPACE"], MetricData=[data])
def work(m, attributes):  # an exception sends the message back
    if "CanaryTaskToken" in attributes:
        version, token = E["WORKER_VERSION"], attributes["CanaryTaskToken"]["StringValue"]
        assert version == attributes.get("CanaryVersion", {}).get("StringValue", version)
        output = json.dumps({"version": version, "imageDigest": "", "taskId": ""})
        return call("AWSStepFunctions.SendTaskSuccess", taskToken=token, output=output)
    try: seconds = abs(float(json.loads(m["Body"])["duration"]))
    except (ValueError, TypeError, KeyError) as fault:
        record = dict(reason=repr(fault), queue=E["QUEUE_URL"], messageId=m["MessageId"], system=m["Attributes"])
        attributes["SetAside"] = {"DataType": "String", "StringValue": json.dumps(record)}
        return sqs("SendMessage", "DEAD_LETTER_QUEUE_URL", MessageBody=m["Body"], MessageAttributes=attributes)
    begin = time.monotonic(); time.sleep(seconds); durations.append(time.monotonic() - begin)
def slot():
    got = stop.is_set() or sqs("ReceiveMessage", WaitTimeSeconds=1, VisibilityTimeout=int(LEASE), # is not broken off
                               MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"])
    for m in got.get("Messages", []):
        if stop.is_set(): return change(m["ReceiptHandle"], 0)
        held.append(m["ReceiptHandle"])
        try: work(m, m.get("MessageAttributes", {})); sqs("DeleteMessage", ReceiptHandle=m["ReceiptHandle"])
        except Exception: change(m["ReceiptHandle"], min(2 ** int(m["Attributes"]["ApproximateReceiveCount"]), 900))
        finally: held.remove(m["ReceiptHandle"])
health, address = socket.socket(socket.AF_UNIX), E["HEALTH_SOCKET"].replace("@", "\0", 1)
if "-health" in sys.argv: sys.exit(health.connect_ex(address))
health.bind(address); health.listen(); signal.signal(signal.SIGTERM, lambda *_: stop.set())
for _ in range(int(E["WORKER_CONCURRENCY"])): forever(0.01, slot)
forever(LEASE / 3, lambda: [change(handle, LEASE) for handle in held]); forever(PERIOD, publish)
stop.wait(); end = time.monotonic() + END * 0.8; time.sleep(0.1)
while held and time.monotonic() < end: time.sleep(0.01)
for work in [lambda: [change(handle, 0) for handle in held], publish]:
    with contextlib.suppress(Exception): work()
os._exit(0)
