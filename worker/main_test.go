package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// ours prepares our own worker.
func ours(t *testing.T) *stage {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return newStage(t, []string{self})
}

func TestABadEnvironmentIsRefusedWithAllItsFaults(t *testing.T) {
	s := ours(t)
	s.env["QUEUE_URL"], s.env["WORKER_CONCURRENCY"], s.env["METRIC_PERIOD_SECONDS"] = "", "none", "-1"
	out, err := s.cmd().CombinedOutput()
	if err == nil {
		t.Error("the worker starts")
	}
	for _, want := range []string{"QUEUE_URL is missing", `WORKER_CONCURRENCY="none"`, `METRIC_PERIOD_SECONDS="-1"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

// Workers come and go with SIGTERM in the middle of 500 messages: each is delivered once.
func TestSIGTERMInTheMiddleOf500(t *testing.T) {
	s := ours(t)
	s.env["WORKER_CONCURRENCY"], s.env["VISIBILITY_TIMEOUT_SECONDS"] = "20", "4"
	s.send(500, 0.05)
	for round, goal := range []int{150, 300} {
		s.env["HEALTH_SOCKET"] += fmt.Sprint(round)
		s.start()
		s.untilDeleted(goal)
		took := s.terminate(15 * time.Second)
		// On a machine too busy to answer a receive within the 100 ms that it has left, what it took comes back later.
		// internal/consumer tests in fake time that nothing is held.
		if _, inFlight, _ := s.count("jobs"); inFlight != 0 && took < 300*time.Millisecond {
			t.Errorf("%d messages are still held %v after SIGTERM", inFlight, took)
		}
	}
	s.env["HEALTH_SOCKET"] += "last"
	s.start()
	s.untilDeleted(500)
	s.terminate(15 * time.Second)
	if n, _ := s.samples("MsgProcessingDuration"); n != 500 {
		t.Errorf("%v jobs done, want each of 500 once", n)
	}
}

// SIGKILL in the middle of 500: what was in hand comes back. How little of what was finished is done again, tells
// TestLittleIsDoneAgainAfterACrash of internal/consumer, where time does not depend on what else the machine does.
func TestSIGKILLInTheMiddleOf500(t *testing.T) {
	s := ours(t)
	s.env["WORKER_CONCURRENCY"], s.env["VISIBILITY_TIMEOUT_SECONDS"] = "10", "2"
	s.env["METRIC_PERIOD_SECONDS"] = "0.5"
	s.send(500, 0.1)
	s.start()
	s.untilDeleted(250)
	s.kill()
	received := s.received()
	_, _, deleted := s.count("jobs")
	t.Logf("%d messages were received, %d of them not deleted, with 10 slots", received, received-deleted)
	s.env["HEALTH_SOCKET"] += "second"
	s.start()
	s.untilDeleted(500)
	s.terminate(15 * time.Second)
	if visible, inFlight, _ := s.count("jobs"); visible+inFlight != 0 {
		t.Errorf("%d messages are left", visible+inFlight)
	}
}

// A server that fails every third call, cuts connections, answers late: nothing is lost, nothing done twice.
func TestABadServer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sqstest.Fault{
		"fails":     {Error: "InternalError"},
		"throttles": {Error: "RequestThrottled"},
		"cuts":      {Cut: true},
		"late":      {Late: 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := ours(t)
			s.env["WORKER_CONCURRENCY"] = "10"
			s.aws.SQS.Fault = func(c sqstest.Call) sqstest.Fault {
				if c.N%3 == 0 {
					return fault
				}
				return sqstest.Fault{}
			}
			s.send(200, 0.02)
			s.start()
			s.untilDeleted(200)
			s.terminate(10 * time.Second)
			if n := s.received(); n != 200 {
				t.Errorf("%d deliveries of 200 messages", n)
			}
			if n, _ := s.samples("MsgProcessingDuration"); n != 200 {
				t.Errorf("%v jobs done, want each of 200 once", n)
			}
		})
	}
}

func TestAFIFOQueueIsWorkedOnInOrder(t *testing.T) {
	s := ours(t)
	s.env["QUEUE_URL"], s.env["DEAD_LETTER_QUEUE_URL"] = s.aws.Queue("jobs.fifo"), s.aws.Queue("jobs-dead.fifo")
	s.env["WORKER_CONCURRENCY"] = "10"
	for i := range 60 {
		group := fmt.Sprintf("g%d", i%6)
		s.aws.SQS.Send(s.env["QUEUE_URL"], sqstest.Message{
			ID: fmt.Sprintf("%s-%02d", group, i), Group: group, Dedup: fmt.Sprint(i),
			Body: `{"id":"x","duration":0.02}`,
		})
	}
	s.start()
	s.until("60 deleted", func() bool {
		_, _, d := s.count("jobs.fifo")
		return d == 60
	})
	s.terminate(15 * time.Second)
	last := make(map[string]string)
	for _, id := range s.aws.SQS.Deleted(s.env["QUEUE_URL"]) {
		group, _, _ := strings.Cut(id, "-")
		if id < last[group] {
			t.Errorf("%s was done after %s", id, last[group])
		}
		last[group] = id
	}
}

func TestLongJobsAreProtectedAndShortOnesAreNot(t *testing.T) {
	s := ours(t)
	s.env["ECS_AGENT_URI"], s.env["ECS_CONTAINER_METADATA_URI_V4"] = s.aws.AgentURI(), s.aws.MetadataURI()
	s.env["STOP_TIMEOUT_SECONDS"], s.env["PROTECTION_SPELL_SECONDS"] = "1", "10"
	s.send(5, 0.1)
	s.start()
	s.untilDeleted(5)
	if calls := s.aws.Protections(); len(calls) != 0 {
		t.Errorf("short jobs were protected: %+v", calls)
	}
	s.send(1, 1.5)
	s.untilDeleted(6)
	s.until("protection dropped", func() bool { return len(s.aws.Protections()) == 2 })
	if calls := s.aws.Protections(); !calls[0].Enabled || calls[0].Minutes < 1 || calls[1].Enabled {
		t.Errorf("calls %+v, want on and off", calls)
	}
	s.terminate(15 * time.Second)
}

func TestTheFirstReceiveWaitsForNothing(t *testing.T) {
	s := ours(t)
	// An ECS agent and a metadata endpoint that never answer.
	s.env["ECS_AGENT_URI"] = "http://192.0.2.1/agent"
	s.env["ECS_CONTAINER_METADATA_URI_V4"] = "http://192.0.2.1/metadata"
	s.send(1, 0)
	s.start()
	s.untilDeleted(1)
	s.terminate(15 * time.Second)
}

func TestJobsThatCannotBeDoneAreInvalid(t *testing.T) {
	for duration, good := range map[float64]bool{
		0: true, 0.001: true, 43200: true, -1: false, 43201: false, math.MaxFloat64: false,
	} {
		if err := (job{Duration: duration}).Validate(); (err == nil) != good {
			t.Errorf("duration %v: %v, want good %v", duration, err, good)
		}
	}
}
