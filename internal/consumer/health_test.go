package consumer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// The health socket is real, so this test runs in real time.
func TestHealthIsToldWhileTheConsumerRuns(t *testing.T) {
	b := setup(t)
	b.HealthSocket = filepath.Join(t.TempDir(), "health")
	ctx := context.Background()
	if err := CheckHealth(ctx, b.HealthSocket); err == nil {
		t.Error("healthy although nothing runs")
	}
	b.start((&record{}).sleeper(0))
	for i := 0; ; i++ {
		if err := CheckHealth(ctx, b.HealthSocket); err == nil {
			break
		} else if i > 1000 {
			t.Fatalf("not healthy although it runs: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	b.finish()
	if err := CheckHealth(ctx, b.HealthSocket); err == nil {
		t.Error("healthy although it has ended")
	}
	if _, err := os.Stat(b.HealthSocket); err == nil {
		t.Error("the socket is still there")
	}
}

// stuck is a client whose receives never return, not even when their context ends.
type stuck struct{ *sqstest.Service }

func (stuck) ReceiveMessage(
	context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	time.Sleep(longEnough)
	return &sqs.ReceiveMessageOutput{}, nil
}

func TestHealthTellsALoopThatHangsFromOneThatIsBusy(t *testing.T) {
	for _, test := range []struct {
		name string
		job  time.Duration
		sqs  func(*sqstest.Service) queueAPI
		want string
	}{
		{"busy for hours", 10 * time.Hour, func(s *sqstest.Service) queueAPI { return s }, ""},
		{"stuck", 0, func(s *sqstest.Service) queueAPI { return stuck{s} }, "a receive has been under way"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t)
				b.send(10)
				r := newRunner(b.withDefaults(), nil)
				r.SQS = test.sqs(b.sqs)
				r.handle = (&record{}).sleeper(test.job)
				r.start()
				time.Sleep(5 * time.Hour)
				synctest.Wait()
				if got := r.report().Fault; (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
					t.Errorf("fault %q, want %q", got, test.want)
				}
				r.drain()
				if got := r.report(); got.Fault != "" || !got.Draining {
					t.Errorf("after the drain: %+v", got)
				}
			})
		})
	}
}

func TestAbsentHealthSocketHarmsNothing(t *testing.T) {
	b := setup(t)
	b.HealthSocket = filepath.Join(t.TempDir(), strings.Repeat("far/too/long/", 20))
	b.start((&record{}).sleeper(0))
	b.finish()
	if n := b.log.count("health is not told"); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}
}

func ExampleCheckHealth() {
	err := CheckHealth(context.Background(), "@nobody-listens-here")
	fmt.Println(err != nil)
	// Output: true
}
