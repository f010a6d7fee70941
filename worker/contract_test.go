package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/consumer"
	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// TestMain lets the test binary be the worker itself, so that tests start the program that is deployed.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_WORKER") != "" {
		main()
		return
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "12") // they wait more than they work
	os.Exit(m.Run())
}

// A stage is a worker's process and the AWS that it talks to.
type stage struct {
	*testing.T
	aws     *sqstest.Server
	command []string
	env     map[string]string
	process *exec.Cmd
	output  *bytes.Buffer
	ended   chan error
}

var sockets atomic.Int32

// newStage prepares a worker without starting it.
func newStage(t *testing.T, command []string) *stage {
	t.Parallel()
	server := sqstest.Serve("jobs", "jobs-dead", "jobs.fifo", "jobs-dead.fifo")
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s := &stage{T: t, aws: server, command: command}
	s.env = map[string]string{
		"PATH": os.Getenv("PATH"), "BE_THE_WORKER": "1",
		"QUEUE_URL": server.Queue("jobs"), "DEAD_LETTER_QUEUE_URL": server.Queue("jobs-dead"), "QUEUE_NAME": "jobs",
		"WORKER_CONCURRENCY": "5", "VISIBILITY_TIMEOUT_SECONDS": "30", "STOP_TIMEOUT_SECONDS": "20",
		"PROTECTION_SPELL_SECONDS": "60", "ACCEPTABLE_DELAY_SECONDS": "60",
		"METRIC_NAMESPACE": "N", "METRIC_TYPE": "Single-Queue", "METRIC_PERIOD_SECONDS": "1", "WORKER_VERSION": "v2",
		"HEALTH_SOCKET":    fmt.Sprintf("@worker-contract-%d-%d", os.Getpid(), sockets.Add(1)),
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	return s
}

func (s *stage) cmd(arguments ...string) *exec.Cmd {
	arguments = append(s.command[1:len(s.command):len(s.command)], arguments...)
	c := exec.CommandContext(context.Background(), s.command[0], arguments...) // the cleanup of start kills it
	for name, value := range s.env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

// start starts the worker; whatever happens it ends with the test.
func (s *stage) start() {
	s.Helper()
	s.process, s.output, s.ended = s.cmd(), new(bytes.Buffer), make(chan error, 1)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.Fatal(err)
	}
	ended := s.ended
	process := s.process
	go func() { ended <- process.Wait() }()
	s.Cleanup(func() { _ = process.Process.Kill() })
}

// terminate sends SIGTERM and expects status 0 within a time.
func (s *stage) terminate(within time.Duration) time.Duration {
	s.Helper()
	begin := time.Now()
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		if err != nil {
			s.Errorf("the worker ended with %v:\n%s", err, s.output)
		}
	case <-time.After(within):
		s.kill()
		s.Errorf("the worker still runs %v after SIGTERM:\n%s", within, s.output)
	}
	return time.Since(begin)
}

// kill sends SIGKILL and waits for the end.
func (s *stage) kill() {
	s.Helper()
	_ = s.process.Process.Kill()
	if err := <-s.ended; err == nil {
		s.Error("the worker ended with status 0 although it was killed")
	}
}

func (s *stage) send(n int, seconds float64) {
	for i := range n {
		s.aws.SQS.Send(s.env["QUEUE_URL"], sqstest.Message{Body: fmt.Sprintf(`{"id":"%d","duration":%v}`, i, seconds)})
	}
}

// until waits for something to become true.
func (s *stage) until(what string, is func() bool) {
	s.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.kill()
			s.Fatalf("it never came to this: %s; the worker says:\n%s", what, s.output)
		}
	}
}

func (s *stage) count(queue string) (visible, inFlight, deleted int) {
	return s.aws.SQS.Count(s.aws.Queue(queue))
}

// untilDeleted waits until so many messages have been deleted from the queue.
func (s *stage) untilDeleted(n int) {
	s.Helper()
	s.until(fmt.Sprintf("%d messages deleted", n), func() bool { _, _, d := s.count("jobs"); return d >= n })
}

// received counts deliveries.
func (s *stage) received() (n int) {
	for _, c := range s.aws.SQS.Calls("ReceiveMessage") {
		n += c.Entries
	}
	return n
}

// samples adds up a metric.
func (s *stage) samples(name string) (count, sum float64) {
	data, _ := s.aws.Metrics()
	for _, d := range data {
		if d.Name == name {
			c, v := d.Samples()
			count, sum = count+c, sum+v
		}
	}
	return count, sum
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

// TestContract checks what docs/worker-contract.md demands of any worker: of ours, of one in Python, and of the one
// that WORKER_COMMAND starts.
func TestContract(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	workers := map[string][]string{"go": {self}}
	if python, err := exec.LookPath("python3"); err == nil {
		workers["python"] = []string{python, "-u", "testdata/worker.py"}
	}
	if command := os.Getenv("WORKER_COMMAND"); command != "" {
		workers = map[string][]string{"yours": strings.Fields(command)}
	}
	rules := map[string]func(*stage){
		"1 2 jobs are done once and deleted":          jobsAreDoneOnce,
		"3 visibility is extended":                    visibilityIsExtended,
		"4 bad messages are set aside":                badMessagesAreSetAside,
		"4 the original stays until that succeeded":   theOriginalStays,
		"7 SIGTERM finishes short jobs":               sigtermFinishes,
		"7 SIGTERM gives long jobs back":              sigtermGivesBack,
		"7 SIGKILL loses nothing":                     sigkillLosesNothing,
		"9 health":                                    healthIsTold,
		"10 metrics are measured and sent in batches": metricsAreMeasured,
		"10 CloudWatch cannot touch a message":        metricsCannotHarm,
		"11 canaries are answered":                    canariesAreAnswered,
	}
	for name, command := range workers {
		for rule, check := range rules {
			t.Run(name+"/"+rule, func(t *testing.T) { check(newStage(t, command)) })
		}
	}
}

func jobsAreDoneOnce(s *stage) {
	// When the first delete arrives, what is in flight is in hand, or is being deleted: a slot is free when its job is
	// done, and a receive may overtake the delete.
	var atFirst atomic.Int64
	s.aws.SQS.Fault = func(c sqstest.Call) sqstest.Fault {
		if _, inFlight, _ := s.count("jobs"); strings.HasPrefix(c.Action, "DeleteMessage") {
			atFirst.CompareAndSwap(0, int64(inFlight))
		}
		return sqstest.Fault{}
	}
	s.send(30, 0.1)
	s.start()
	s.untilDeleted(30)
	s.terminate(15 * time.Second)
	if n := s.received(); n != 30 {
		s.Errorf("%d deliveries of 30 messages", n)
	}
	if n := atFirst.Load(); n > 2*5 {
		s.Errorf("%d messages in flight at the first delete, with a concurrency of 5", n)
	}
}

func visibilityIsExtended(s *stage) {
	s.env["VISIBILITY_TIMEOUT_SECONDS"] = "3"
	s.send(3, 4.5)
	s.start()
	s.untilDeleted(3)
	if n := s.received(); n != 3 {
		s.Errorf("%d deliveries of 3 messages", n)
	}
}

func badMessagesAreSetAside(s *stage) {
	s.send(2, 0)
	s.aws.SQS.Send(s.env["QUEUE_URL"], sqstest.Message{
		ID: "bad", Body: `{"id":`, Attributes: map[string]types.MessageAttributeValue{"Colour": text("blue")},
	})
	s.start()
	s.untilDeleted(3)
	dead := s.aws.SQS.Visible(s.aws.Queue("jobs-dead"))
	if len(dead) != 1 || dead[0].Body != `{"id":` || aws.ToString(dead[0].Attributes["Colour"].StringValue) != "blue" {
		s.Fatalf("in the dead-letter queue: %+v", dead)
	}
	var record consumer.SetAside
	if err := json.Unmarshal([]byte(aws.ToString(dead[0].Attributes["SetAside"].StringValue)), &record); err != nil ||
		record.Reason == "" || record.Message != "bad" || record.System["SentTimestamp"] == "" {
		s.Errorf("record %+v, %v", record, err)
	}
	if n := s.received(); n != 3 {
		s.Errorf("%d deliveries of 3 messages", n)
	}
}

func theOriginalStays(s *stage) {
	s.aws.SQS.Fault = func(c sqstest.Call) sqstest.Fault {
		if c.Action == "SendMessage" {
			return sqstest.Fault{Error: "AccessDenied"}
		}
		return sqstest.Fault{}
	}
	s.aws.SQS.Send(s.env["QUEUE_URL"], sqstest.Message{Body: "not JSON"})
	s.start()
	s.until("an attempt to set aside", func() bool { return s.aws.SQS.Counts()["SendMessage"] > 0 })
	time.Sleep(300 * time.Millisecond)
	s.terminate(15 * time.Second)
	if visible, inFlight, deleted := s.count("jobs"); deleted != 0 || visible+inFlight != 1 {
		s.Errorf("visible %d, in flight %d, deleted %d; the original must stay", visible, inFlight, deleted)
	}
}

func sigtermFinishes(s *stage) {
	s.send(40, 0.2)
	s.start()
	s.untilDeleted(10)
	s.terminate(15 * time.Second)
	visible, inFlight, deleted := s.count("jobs")
	if inFlight != 0 || visible+deleted != 40 || visible == 0 {
		s.Errorf("visible %d, in flight %d, deleted %d of 40", visible, inFlight, deleted)
	}
	for _, m := range s.aws.SQS.Visible(s.env["QUEUE_URL"]) {
		if m.Receives > 1 {
			s.Errorf("%s was received %d times", m.ID, m.Receives)
		}
	}
	if n, _ := s.samples("MsgProcessingDuration"); int(n) != deleted {
		s.Errorf("%v durations published, %d messages done", n, deleted)
	}
}

func sigtermGivesBack(s *stage) {
	s.env["STOP_TIMEOUT_SECONDS"] = "2.5"
	s.send(3, 60)
	s.start()
	s.until("3 in flight", func() bool { _, n, _ := s.count("jobs"); return n == 3 })
	time.Sleep(100 * time.Millisecond)
	s.terminate(10 * time.Second)
	if visible, inFlight, _ := s.count("jobs"); visible != 3 || inFlight != 0 {
		s.Errorf("visible %d, in flight %d; want all 3 back", visible, inFlight)
	}
}

func sigkillLosesNothing(s *stage) {
	s.env["VISIBILITY_TIMEOUT_SECONDS"] = "2"
	s.send(20, 0.3)
	s.start()
	s.untilDeleted(5)
	s.kill()
	s.env["HEALTH_SOCKET"] += "-second"
	s.start()
	s.untilDeleted(20)
	s.terminate(15 * time.Second)
	if visible, inFlight, _ := s.count("jobs"); visible+inFlight != 0 {
		s.Errorf("visible %d, in flight %d", visible, inFlight)
	}
}

func healthIsTold(s *stage) {
	if err := s.cmd("-health").Run(); err == nil {
		s.Error("healthy although no worker runs")
	}
	s.start()
	s.until("healthy", func() bool { return s.cmd("-health").Run() == nil })
	s.kill()
	if err := s.cmd("-health").Run(); err == nil {
		s.Error("healthy although the worker was killed")
	}
}

func metricsAreMeasured(s *stage) {
	s.send(25, 0.1)
	begin := time.Now()
	s.start()
	s.untilDeleted(25)
	s.terminate(15 * time.Second)
	took := time.Since(begin).Seconds()
	count, sum := s.samples("MsgProcessingDuration")
	if count != 25 || sum <= 2.5 || sum > 5*took {
		s.Errorf("MsgProcessingDuration: %v samples, sum %v in %v s; want 25 of a little more than 0.1",
			count, sum, took)
	}
	data, calls := s.aws.Metrics()
	if calls > int(took)+3 {
		s.Errorf("%d calls of PutMetricData in %v s", calls, took)
	}
	for _, d := range data {
		if d.Dimensions["Type"] != "Single-Queue" || d.Dimensions["QueueName"] != "jobs" || d.Unit == "" ||
			!d.Timestamp.Equal(d.Timestamp.Truncate(time.Second)) || time.Since(d.Timestamp) > time.Minute {
			s.Errorf("datum %+v", d)
		}
	}
}

func metricsCannotHarm(s *stage) {
	s.aws.MetricsDown(true)
	s.send(15, 0.3)
	s.start()
	s.untilDeleted(15)
	s.terminate(15 * time.Second)
}

func canariesAreAnswered(s *stage) {
	canary := func(token, version string) sqstest.Message {
		return sqstest.Message{Body: "a canary", Attributes: map[string]types.MessageAttributeValue{
			"CanaryTaskToken": text(token), "CanaryVersion": text(version),
		}}
	}
	s.aws.SQS.Send(s.env["QUEUE_URL"], canary("other", "v3"), canary("mine", "v2"))
	s.start()
	s.untilDeleted(1)
	s.terminate(15 * time.Second)
	answers := s.aws.Answers()
	var output consumer.CanaryAnswer
	if len(answers) != 1 || answers[0].Token != "mine" || answers[0].Action != "SendTaskSuccess" ||
		json.Unmarshal([]byte(answers[0].Output), &output) != nil || output.Version != "v2" {
		s.Errorf("answers %+v", answers)
	}
	if visible, inFlight, _ := s.count("jobs"); visible+inFlight != 1 {
		s.Errorf("%d messages left, want the canary for the other version", visible+inFlight)
	}
	if n, _ := s.samples("MsgProcessingDuration"); n != 0 {
		s.Errorf("%v durations, want none of a canary", n)
	}
}
