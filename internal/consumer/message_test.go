package consumer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

type resize struct {
	Name  string  `json:"name"`
	Width float64 `json:"width"`
}

func (r resize) Validate() error {
	if r.Width <= 0 {
		return fmt.Errorf("width %v is not positive", r.Width)
	}
	return nil
}

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		body string
		good bool
	}{
		{`{"name":"a","width":3}`, true},
		{` {"name":"a","width":3,"newer":true} ` + "\n", true},
		{`{"name":"a","width":-3}`, false},
		{`{"name":"a","width":"3"}`, false},
		{`{"name":"a","width":1e999}`, false},
		{`{"name":"a","width":3} {}`, false},
		{`{"name":"a","width":3}x`, false},
		{`{"name":"a","width":3`, false},
		{`[]`, false},
		{`null`, false}, // leaves the width 0
		{``, false},
		{"\xff\xfe", false},
	} {
		var got resize
		err := Message{Body: test.body}.Decode(&got)
		if (err == nil) != test.good {
			t.Errorf("%q: error %v, want good %v", test.body, err, test.good)
		}
		if err != nil && judge(err, nil) != fateSetAside {
			t.Errorf("%q: the error %v does not set the message aside", test.body, err)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(`{"name":"a","width":3}`, "1700000000000", "2", "1700000000001")
	f.Add("\x00", "-1", "99999999999999999999", "x")
	f.Fuzz(func(t *testing.T, body, sent, count, first string) {
		raw := types.Message{Body: aws.String(body), Attributes: map[string]string{
			"SentTimestamp": sent, "ApproximateReceiveCount": count, "ApproximateFirstReceiveTimestamp": first,
		}}
		now := time.Now()
		m := newMessage(raw, now)
		if m.Body != body || m.ReceiveCount < 1 {
			t.Errorf("%+v", m)
		}
		since := leasedSince(raw, m.ReceiveCount, now.Add(-time.Second), now, time.Minute)
		if since.After(now) || since.Before(now.Add(-time.Second)) {
			t.Errorf("the lease would begin at %v, outside of the call", since)
		}
		if pause := pauseAfter(errJob, m.ReceiveCount); pause <= 0 || pause > longestPause {
			t.Errorf("pause %v", pause)
		}
		err := JSON(func(context.Context, Message, resize) error { return nil })(context.Background(), m)
		if err != nil {
			if f := judge(err, nil); f != fateSetAside {
				t.Errorf("fate %v", f)
			}
			asideInput(&delivery{Message: m, raw: raw}, err.Error(), queueURL, "", now)
		}
	})
}

func TestJudge(t *testing.T) {
	lost, stopping := fmt.Errorf("%w: x", ErrLeaseLost), fmt.Errorf("%w: x", ErrStopping)
	for _, test := range []struct {
		name       string
		err, cause error
		want       fate
	}{
		{"done", nil, nil, fateDelete},
		{"failed", errJob, nil, fateRetry},
		{"again later", Retry(time.Second, errJob), nil, fateRetry},
		{"rejected", Reject("x"), nil, fateSetAside},
		{"rejected, wrapped", fmt.Errorf("y: %w", Reject("x")), nil, fateSetAside},
		{"done in spite of stopping", nil, stopping, fateDelete},
		{"stopped", stopping, stopping, fateGiveBack},
		{"failed while stopping", errJob, stopping, fateGiveBack},
		{"rejected while stopping", Reject("x"), stopping, fateSetAside},
		{"done after the lease", nil, lost, fateAbandon},
		{"rejected after the lease", Reject("x"), lost, fateAbandon},
		{"failed after the lease", errJob, lost, fateAbandon},
	} {
		if got := judge(test.err, test.cause); got != test.want {
			t.Errorf("%s: fate %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPauseAfter(t *testing.T) {
	if got := pauseAfter(fmt.Errorf("x: %w", Retry(90*time.Second, nil)), 7); got != 90*time.Second {
		t.Errorf("asked for 90s, got %v", got)
	}
	if got := pauseAfter(Retry(-time.Second, nil), 1); got != 0 {
		t.Errorf("asked for less than nothing, got %v", got)
	}
	if got := pauseAfter(Retry(100*time.Hour, nil), 1); got != maxVisibility {
		t.Errorf("asked for more than SQS can, got %v", got)
	}
	for count, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 1000: longestPause,
	} {
		if got := pauseAfter(errJob, count); got < most/2 || got > most {
			t.Errorf("delivery %d: %v, want between %v and %v", count, got, most/2, most)
		}
	}
	if wholeSeconds(1100*time.Millisecond) != 2 || wholeSeconds(0) != 0 || wholeSeconds(maxVisibility) != 43200 {
		t.Error("seconds are not rounded up")
	}
}

func TestErrorsSayWhatHappened(t *testing.T) {
	for want, err := range map[string]error{
		"again in 5s":                 Retry(5*time.Second, nil),
		"again in 5s: the job failed": Retry(5*time.Second, errJob),
		"too wide":                    Reject("too wide"),
		"the handler panicked: oh":    &panicError{value: "oh"},
		"Code: text":                  &entryError{code: "Code", message: "text"},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if !errors.Is(Retry(0, errJob), errJob) {
		t.Error("Retry hides its error")
	}
}
