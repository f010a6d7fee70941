package lambdastep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/smithy-go"
)

func environment(variables map[string]string) *Environment {
	return &Environment{Lookup: func(name string) (string, bool) {
		value, found := variables[name]
		return value, found
	}}
}

func setup(variables map[string]string) (*Setup, *bytes.Buffer) {
	var log bytes.Buffer
	return &Setup{Env: environment(variables), Log: slog.New(slog.NewJSONHandler(&log, nil))}, &log
}

func TestEnvironment(t *testing.T) {
	env := environment(map[string]string{
		"NAME": "orders", "KIND": "fifo", "SHARE": "0.5", "COUNT": "30", "DELAY": "1.5", "TINY": "0.0000000004",
	})
	if got := env.Text("NAME"); got != "orders" {
		t.Errorf("text %q", got)
	}
	if got := env.OneOf("KIND", "standard", "fifo"); got != "fifo" {
		t.Errorf("one of %q", got)
	}
	if got := env.Number("SHARE", 0, 1); got != 0.5 {
		t.Errorf("number %g", got)
	}
	if got := env.Whole("COUNT", 1, 100); got != 30 {
		t.Errorf("whole %d", got)
	}
	if got := env.Seconds("DELAY", time.Minute); got != 1500*time.Millisecond {
		t.Errorf("seconds %v", got)
	}
	if err := env.Err(); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentReportsEverything(t *testing.T) {
	env := environment(map[string]string{
		"EMPTY": "",
		"KIND":  "lifo",
		"SHARE": "2",
		"WORD":  "much",
		"COUNT": "1.5",
		"DELAY": "0",
		"LONG":  "61",
		"NAN":   "NaN",
	})
	env.Text("MISSING")
	env.Text("EMPTY")
	env.OneOf("KIND", "standard", "fifo")
	env.OneOf("KIND2", "standard", "fifo")
	env.Number("SHARE", 0, 1)
	env.Number("WORD", 0, 1)
	env.Number("NAN", 0, 1)
	env.Number("NUMBER", 0, 1)
	env.Whole("COUNT", 1, 100)
	env.Seconds("DELAY", time.Minute)
	env.Seconds("LONG", time.Minute)
	err := env.Err()
	var invalid *InvalidConfiguration
	if !errors.As(err, &invalid) || len(invalid.Problems) != 11 {
		t.Fatalf("got %v, want *InvalidConfiguration with 11 problems", err)
	}
	for _, want := range []string{
		"MISSING is not set", "EMPTY is empty", `KIND is "lifo"; allowed: standard, fifo`, "KIND2 is not set",
		`SHARE is "2"; allowed: a number from 0 to 1`, `WORD is "much"`, `NAN is "NaN"`, "NUMBER is not set",
		`COUNT is "1.5"; allowed: a whole number from 1 to 100`,
		`DELAY is "0"; allowed: a number of seconds, more than 0 and at most 60`, `LONG is "61"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

type custom struct{}

func (custom) Error() string     { return "custom" }
func (custom) ErrorName() string { return "Custom" }

// TestErrorNames checks the names by which a machine matches errors, however they are wrapped.
func TestErrorNames(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"named":    {custom{}, "Custom"},
		"wrapped":  {fmt.Errorf("while testing: %w", custom{}), "Custom"},
		"joined":   {errors.Join(errors.New("other"), custom{}), "Custom"},
		"from AWS": {fmt.Errorf("call: %w", &smithy.GenericAPIError{Code: "AccessDenied"}), "AccessDenied"},
		"deadline": {fmt.Errorf("wait: %w", context.DeadlineExceeded), "OutOfTime"},
		"plain":    {errors.New("plain"), "StepFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := setup(nil)
			step := serve(s, func(*Setup) Step[int, int] {
				return func(context.Context, int) (int, error) { return 1, test.err }
			})
			_, err := step(t.Context(), 0)
			var got messages.InvokeResponse_Error
			if !errors.As(err, &got) || got.Type != test.want || got.Message != test.err.Error() {
				t.Errorf("got %+v, want the type %s and the message %q", err, test.want, test.err)
			}
			if !strings.Contains(log.String(), "step failed") {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

func TestStepIsServed(t *testing.T) {
	s, log := setup(map[string]string{"NAME": "x"})
	builds := 0
	step := serve(s, func(s *Setup) Step[int, string] {
		builds++
		name := s.Env.Text("NAME")
		return func(_ context.Context, n int) (string, error) { return strings.Repeat(name, n), nil }
	})
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	for range 2 {
		if got, err := step(ctx, 3); err != nil || got != "xxx" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if builds != 1 {
		t.Errorf("built %d times", builds)
	}
	if !strings.Contains(log.String(), `"requestId":"request-1"`) {
		t.Errorf("the log does not name the request: %s", log)
	}
}

func TestUnusableConfigurationIsAnswered(t *testing.T) {
	s, _ := setup(nil)
	called := false
	step := serve(s, func(s *Setup) Step[int, int] {
		s.Env.Text("QUEUE_URL")
		return func(context.Context, int) (int, error) { called = true; return 0, nil }
	})
	_, err := step(t.Context(), 0)
	var got messages.InvokeResponse_Error
	if !errors.As(err, &got) || got.Type != "InvalidConfiguration" ||
		!strings.Contains(got.Message, "QUEUE_URL is not set") {
		t.Errorf("got %+v", err)
	}
	if called {
		t.Error("the step was called")
	}
}

func TestAWSConfigurationIsLoadedOnce(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	s, _ := setup(nil)
	first, second := s.AWS(), s.AWS()
	if first.Region != "eu-west-1" || second.Region != first.Region || s.err() != nil {
		t.Errorf("regions %q and %q, %v", first.Region, second.Region, s.err())
	}
	if retryer := first.Retryer(); retryer.MaxAttempts() != 6 ||
		!retryer.IsErrorRetryable(&smithy.GenericAPIError{Code: "ConcurrentUpdateException"}) ||
		retryer.IsErrorRetryable(&smithy.GenericAPIError{Code: "AccessDeniedException"}) {
		t.Error("concurrent updates are not retried, or refusals are")
	}
}

func TestBrokenAWSConfigurationIsReported(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_MAX_ATTEMPTS", "many")
	s, _ := setup(nil)
	s.AWS()
	if err := s.err(); err == nil || !strings.Contains(err.Error(), "AWS_MAX_ATTEMPTS") {
		t.Errorf("got %v", err)
	}
}

func TestNewSetup(t *testing.T) {
	t.Setenv("LOG_LEVEL", "LOUD")
	if err := newSetup().Env.Err(); err == nil ||
		!strings.Contains(err.Error(), `LOG_LEVEL is "LOUD"; allowed: DEBUG`) {
		t.Errorf("got %v", err)
	}
	t.Setenv("LOG_LEVEL", "DEBUG")
	s := newSetup()
	if err := s.Env.Err(); err != nil || !s.Log.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("got %v", err)
	}
}

// answers serves the address to which the answers to CloudFormation are sent.
func answers(t *testing.T) (url string, last func() cfn.Response) {
	t.Helper()
	var got cfn.Response
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = cfn.Response{}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() cfn.Response { return got }
}

func TestCloudFormationIsAlwaysAnswered(t *testing.T) {
	url, last := answers(t)
	event := cfn.Event{RequestType: cfn.RequestUpdate, PhysicalResourceID: "same", ResponseURL: url, RequestID: "r"}
	for name, test := range map[string]struct {
		resource  cfn.CustomResourceFunction
		status    cfn.StatusType
		reason    string
		unusable  bool
		wantPanic bool
	}{
		"success": {
			resource: func(context.Context, cfn.Event) (string, map[string]any, error) {
				return "same", map[string]any{"X": "1"}, nil
			},
			status: cfn.StatusSuccess,
		},
		"error": {
			resource: func(context.Context, cfn.Event) (string, map[string]any, error) {
				return "same", nil, errors.New("the reason")
			},
			status: cfn.StatusFailed, reason: "the reason",
		},
		"panic": {
			resource: func(context.Context, cfn.Event) (string, map[string]any, error) { panic("oh") },
			status:   cfn.StatusFailed, reason: "panicked", wantPanic: true,
		},
		"unusable configuration": {
			unusable: true, status: cfn.StatusFailed, reason: "PARAMETER is not set",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := setup(nil)
			handler := cfn.LambdaWrap(serveCustomResource(s, func(s *Setup) cfn.CustomResourceFunction {
				if test.unusable {
					s.Env.Text("PARAMETER")
				}
				return test.resource
			}))
			func() {
				defer func() {
					if got := recover() != nil; got != test.wantPanic {
						t.Errorf("panic: %v", got)
					}
				}()
				_, _ = handler(t.Context(), event)
			}()
			if got := last(); got.Status != test.status || !strings.Contains(got.Reason, test.reason) ||
				got.PhysicalResourceID != "same" {
				t.Errorf("answered %+v", got)
			}
		})
	}
}

// TestTimeIsLeftForTheAnswer checks that a call that hangs is given up before Lambda ends the function.
func TestTimeIsLeftForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(nil)
		resource := serveCustomResource(s, func(*Setup) cfn.CustomResourceFunction {
			return func(ctx context.Context, _ cfn.Event) (string, map[string]any, error) {
				<-ctx.Done() // hangs
				return "id", nil, ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, _, err := resource(ctx, cfn.Event{})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Minute-answerMargin {
			t.Errorf("answered after %v: %v", took, err)
		}
	})
}
