//go:build local

package statemachines

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/verify"
)

// stage is the verify machine on the local engine. Its functions ask the test what to answer, except the report, which
// is the real one; its queues are real, and the test is the worker that takes the canary.
type stage struct {
	config            aws.Config
	topic, mailbox    string
	standard, fifo    string // queue URLs
	machine, fifoTwin string // ARNs

	mu       sync.Mutex
	answers  map[string][]any // by step: what it answers, one after the other; the last one stays
	requests map[string][]json.RawMessage
	covered  map[string]bool
}

const (
	newDefinition, oldDefinition = "worker:8", "worker:7"
	newDigest                    = "sha256:8888888888888888888888888888888888888888888888888888888888888888"
)

// plan is what Prepare answers.
func plan(change func(*verify.Plan)) verify.Plan {
	p := verify.Plan{
		Reason: "test", RollBack: true, At: time.Now().UTC(),
		Expected: verify.Version{TaskDefinition: newDefinition, ImageDigest: newDigest},
		Before:   &verify.Version{TaskDefinition: oldDefinition},
		Canary:   verify.Canary{Wanted: true, TimeoutSeconds: 3, Attempts: 3},
	}
	if change != nil {
		change(&p)
	}
	return p
}

func rollout(status verify.RolloutStatus) verify.Rollout {
	return verify.Rollout{Status: status, Summary: "as the script says", At: time.Now().UTC()}
}

func outcome(verdict verify.Verdict, problems ...string) verify.Outcome {
	return verify.Outcome{Verdict: verdict, Problems: problems, Notes: []string{}}
}

func rollback(status verify.RollbackStatus) verify.Rollback {
	return verify.Rollback{Status: status, Summary: "as the script says"}
}

func breakdown(name string) messages.InvokeResponse_Error {
	return messages.InvokeResponse_Error{Type: name, Message: "a broken step"}
}

// canary answers a task token; nil takes the message and says nothing.
type canary func(ctx context.Context, client *sfn.Client, token string) error

func answers(output string) canary {
	return func(ctx context.Context, client *sfn.Client, token string) error {
		_, err := client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: &output})
		return err
	}
}

func fails(cause string) canary {
	return func(ctx context.Context, client *sfn.Client, token string) error {
		_, err := client.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{
			TaskToken: &token, Error: aws.String("CanaryFailed"), Cause: &cause,
		})
		return err
	}
}

func identity(definition, digest string) string {
	return fmt.Sprintf(`{"version":"","imageDigest":%q,"taskId":"t","taskDefinition":%q}`, digest, definition)
}

// scenario is one execution.
type scenario struct {
	answers map[string][]any
	worker  []canary // who takes the canary, one after the other
	fifo    bool

	status   sfntypes.ExecutionStatus
	error    string
	result   verify.Result
	passes   []string // states that are passed, in this order, with others between
	avoids   []string
	canary   string // part of what Check Outcome is told of it, JSON
	notified int
}

// TestLocalVerifyMachine reaches every state and every Catch, and counts the notifications that arrive: one for what
// does not end well, none for what does (defect 19: the original tells nobody).
func TestLocalVerifyMachine(t *testing.T) {
	s := newStage(t)
	good := []canary{answers(identity(newDefinition, newDigest))}
	succeeded, failed := sfntypes.ExecutionStatusSucceeded, sfntypes.ExecutionStatusFailed
	for name, test := range map[string]scenario{
		"good": {
			answers: map[string][]any{
				"rollout": {rollout(verify.RolloutInProgress), rollout(verify.RolloutCompleted)},
				"outcome": {outcome(verify.Watching), outcome(verify.Healthy)},
			},
			worker: good, status: succeeded, result: verify.Verified, canary: `"new":true`,
			passes: []string{"Wait For Rollout", "Canary Wanted?", "Send Canary", "Canary By New Version?",
				"Wait For Outcome", "Verified"},
			avoids: []string{"Roll Back", "Send Canary To FIFO Queue"},
		},
		"good on a FIFO queue": {
			worker: good, fifo: true, status: succeeded, result: verify.Verified, canary: `"status":"answered"`,
			passes: []string{"Send Canary To FIFO Queue", "Verified"}, avoids: []string{"Send Canary"},
		},
		"known by its digest alone": {
			worker: []canary{answers(`{"imageDigest":"` + newDigest + `"}`)}, status: succeeded,
			result: verify.Verified,
			canary: `"new":true`,
		},
		"an old version takes the first canary": {
			worker: []canary{answers(identity(oldDefinition, "")), good[0]}, status: succeeded,
			result: verify.Verified,
			canary: `"new":true`, passes: []string{"Send Canary", "Count Attempt", "Send Canary", "Verified"},
		},
		"an old version takes each canary": {
			worker:  slices.Repeat([]canary{answers(identity(oldDefinition, "sha256:old"))}, 3),
			answers: map[string][]any{"outcome": {outcome(verify.Inconclusive)}},
			status:  succeeded, result: verify.NotProved, canary: `"new":false`, avoids: []string{"Roll Back"},
		},
		"an old version fails the canary": {
			worker: []canary{fails(`{"taskDefinition":"worker:7","message":"no disk"}`), good[0]},
			status: succeeded, result: verify.Verified, canary: `"new":true`,
		},
		"the new version fails the canary": {
			worker:  []canary{fails(`{"taskDefinition":"worker:8","message":"no disk"}`)},
			answers: map[string][]any{"outcome": {outcome(verify.Unhealthy, "it failed the canary")}},
			status:  failed, error: "VersionRolledBack", canary: `"message":"no disk"`, notified: 1,
			passes: []string{"Send Canary", "Check Outcome", "Healthy?", "Roll Back", "Rolled Back?", "Notify"},
		},
		"a worker without a name fails the canary": {
			worker:  []canary{fails("no disk")},
			answers: map[string][]any{"outcome": {outcome(verify.Unhealthy, "it failed the canary")}},
			status:  failed, error: "VersionRolledBack", canary: `"new":true`, notified: 1,
		},
		"nobody answers the canary": {
			status: succeeded, result: verify.Verified, canary: `"status":"unanswered"`,
			avoids: []string{"Roll Back"},
		},
		"the canary is answered with nonsense": {
			worker: []canary{answers(`"hello"`)}, status: succeeded, result: verify.Verified,
			avoids: []string{"Roll Back"},
			canary: `"new":false`,
		},
		"a worker without canaries": {
			answers: map[string][]any{"prepare": {plan(func(p *verify.Plan) { p.Canary.Wanted = false })}},
			status:  succeeded, result: verify.Verified, canary: `"status":"not wanted"`,
			avoids: []string{"Send Canary"},
		},
		"no traffic": {
			worker: good, answers: map[string][]any{"outcome": {outcome(verify.NoTraffic)}},
			status: succeeded, result: verify.VerifiedIdle,
		},
		"bad, taken back": {
			worker: good,
			answers: map[string][]any{
				"outcome":  {outcome(verify.Watching), outcome(verify.Unhealthy, "it is slow")},
				"rollback": {rollback(verify.RollbackInProgress), rollback(verify.RollbackDone)},
			},
			status: failed, error: "VersionRolledBack", notified: 1,
			passes: []string{"Roll Back", "Wait For Roll Back", "Roll Back", "Write Report", "Notify"},
		},
		"bad, report only": {
			worker: good,
			answers: map[string][]any{
				"prepare": {plan(func(p *verify.Plan) { p.RollBack = false })},
				"outcome": {outcome(verify.Unhealthy, "it is slow")},
			},
			status: failed, error: "VersionBad", notified: 1, passes: []string{"Leave It"},
			avoids: []string{"Roll Back"},
		},
		"bad, and it cannot be taken back": {
			worker: good,
			answers: map[string][]any{
				"outcome": {outcome(verify.Unhealthy, "it is slow")}, "rollback": {breakdown("ClientException")},
			},
			status: failed, error: "VersionNotRolledBack", notified: 1, passes: []string{"Roll Back", "Write Report"},
		},
		"the rollout fails": {
			answers: map[string][]any{"rollout": {rollout(verify.RolloutFailed)}},
			status:  failed, error: "VersionRolledBack", notified: 1,
			avoids: []string{"Send Canary", "Check Outcome"},
		},
		"the rollout is slow": {
			answers: map[string][]any{"rollout": {rollout(verify.RolloutSlow)}},
			status:  failed, error: "VersionRolledBack", notified: 1,
			avoids: []string{"Send Canary", "Check Outcome"},
		},
		"ECS went back": {
			answers: map[string][]any{"rollout": {rollout(verify.RolloutRolledBack)}},
			status:  failed, error: "RolloutStoppedByECS", notified: 1, avoids: []string{"Roll Back"},
		},
		"overtaken": {
			answers: map[string][]any{"rollout": {rollout(verify.RolloutSuperseded)}},
			status:  failed, error: "VersionSuperseded", notified: 1, avoids: []string{"Roll Back"},
		},
		"overtaken while it is watched": {
			worker: good, answers: map[string][]any{"outcome": {outcome(verify.Watching), outcome(verify.Superseded)}},
			status: failed, error: "VersionSuperseded", notified: 1, avoids: []string{"Roll Back"},
		},
		"a bad input": {
			answers: map[string][]any{"prepare": {breakdown("InvalidInput")}},
			status:  failed, error: "InvalidInput", notified: 1, avoids: []string{"Look At Rollout"},
		},
		"looking at the rollout fails": {
			answers: map[string][]any{"rollout": {breakdown("AccessDeniedException")}},
			status:  failed, error: "AccessDeniedException", notified: 1, avoids: []string{"Roll Back"},
		},
		"checking the outcome fails": {
			worker: good, answers: map[string][]any{"outcome": {breakdown("AccessDenied")}},
			status: failed, error: "AccessDenied", notified: 1, avoids: []string{"Roll Back"},
		},
		"a transient error is tried again": {
			worker:  good,
			answers: map[string][]any{"outcome": {breakdown("MetricsIncomplete"), outcome(verify.Healthy)}},
			status:  succeeded, result: verify.Verified,
		},
		"the report fails": {
			worker: good, answers: map[string][]any{"report": {breakdown("Broken")}},
			status: failed, error: "Broken", notified: 1,
		},
	} {
		t.Run(name, func(t *testing.T) { s.play(t, test) })
	}

	t.Run("the canary cannot be sent", func(t *testing.T) {
		s.forget(t, s.fifo)
		s.play(t, scenario{
			fifo: true, status: succeeded, result: verify.Verified, canary: `"status":"not sent"`,
			avoids: []string{"Roll Back"},
		})
	})
	t.Run("without its topic", func(t *testing.T) {
		_, err := sns.NewFromConfig(s.config).DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: &s.topic})
		if err != nil {
			t.Fatal(err)
		}
		s.play(t, scenario{
			answers: map[string][]any{"rollout": {rollout(verify.RolloutSuperseded)}},
			status:  failed, error: "VersionSuperseded",
		})
	})
	d, _ := verification(t)
	for name := range d.States {
		if !s.covered[name] {
			t.Errorf("no execution reached %q", name)
		}
	}
}

// play runs a scenario.
func (s *stage) play(t *testing.T, test scenario) {
	t.Helper()
	s.mu.Lock()
	s.requests = map[string][]json.RawMessage{}
	s.answers = map[string][]any{
		"prepare": {plan(nil)}, "rollout": {rollout(verify.RolloutCompleted)}, "outcome": {outcome(verify.Healthy)},
		"rollback": {rollback(verify.RollbackDone)},
	}
	if test.fifo {
		s.answers["prepare"] = []any{plan(func(p *verify.Plan) { p.Canary.FIFO = true })}
	}
	for step, answers := range test.answers {
		s.answers[step] = answers
	}
	s.mu.Unlock()

	machine, queue := s.machine, s.standard
	if test.fifo {
		machine, queue = s.fifoTwin, s.fifo
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { s.work(ctx, t, queue, test.worker) })

	follower := execution.Follower{Client: sfn.NewFromConfig(s.config), Interval: 50 * time.Millisecond}
	arn, err := follower.Start(ctx, machine, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	var path []string
	result, err := follower.Follow(ctx, arn, func(step execution.Step) { path = append(path, step.Name) })
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	working.Wait()
	if result.Status == sfntypes.ExecutionStatusFailed {
		path = append(path, "Verification Failed")
	}
	for _, state := range path {
		s.covered[state] = true
	}
	s.check(t, test, result, path)
	if got := s.notifications(t, arn); got != test.notified {
		t.Errorf("%d notifications, want %d", got, test.notified)
	}
}

func (s *stage) check(t *testing.T, test scenario, result execution.Result, path []string) {
	t.Helper()
	var report verify.Report
	if result.Succeeded() {
		if err := json.Unmarshal(result.Output, &report); err != nil {
			t.Fatal(err)
		}
	}
	if result.Status != test.status || result.Error != test.error || report.Result != test.result {
		t.Errorf("it ended %s with error %q (%s) and result %q, want %s, %q, %q",
			result.Status, result.Error, result.Cause, report.Result, test.status, test.error, test.result)
	}
	rest := path
	for _, state := range test.passes {
		at := slices.Index(rest, state)
		if at < 0 {
			t.Errorf("it did not pass %q after what came before: %q", state, path)
			break
		}
		rest = rest[at+1:]
	}
	for _, state := range test.avoids {
		if slices.Contains(path, state) {
			t.Errorf("it passed %q: %q", state, path)
		}
	}
	if told := s.requests["outcome"]; test.canary != "" {
		if len(told) == 0 {
			t.Fatalf("the outcome was not asked for: %q", path)
		}
		if request := compact(t, told[0]); !strings.Contains(request, test.canary) {
			t.Errorf("the outcome's request %s does not say %s", request, test.canary)
		}
	}
}

func compact(t *testing.T, document json.RawMessage) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, document); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// work takes messages as the workers of the test do; whoever has nothing to say still takes the canary.
func (s *stage) work(ctx context.Context, t *testing.T, queue string, workers []canary) {
	queues, machines := sqs.NewFromConfig(s.config), sfn.NewFromConfig(s.config)
	for ctx.Err() == nil {
		got, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &queue, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			time.Sleep(50 * time.Millisecond) // the execution ended, or the queue is gone
			continue
		}
		for _, message := range got.Messages {
			_, _ = queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &queue,
				ReceiptHandle: message.ReceiptHandle})
			var body struct {
				ID       string
				Duration float64
			}
			if err := json.Unmarshal([]byte(*message.Body), &body); err != nil || !strings.HasPrefix(body.ID,
				"canary-") {
				t.Errorf("the canary's body is %s", *message.Body)
			}
			if len(workers) == 0 {
				continue
			}
			token := aws.ToString(message.MessageAttributes["CanaryTaskToken"].StringValue)
			if err := workers[0](ctx, machines, token); err != nil {
				t.Errorf("answer the canary with token %q: %v", token, err)
			}
			workers = workers[1:]
		}
	}
}

// notifications counts those about the execution.
func (s *stage) notifications(t *testing.T, arn string) int {
	t.Helper()
	count := 0
	for {
		got, err := sqs.NewFromConfig(s.config).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &s.mailbox, MaxNumberOfMessages: 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range got.Messages {
			if strings.Contains(*message.Body, arn) {
				count++
			}
			_, err := sqs.NewFromConfig(s.config).DeleteMessage(t.Context(), &sqs.DeleteMessageInput{
				QueueUrl: &s.mailbox, ReceiptHandle: message.ReceiptHandle,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(got.Messages) == 0 {
			return count
		}
	}
}

func (s *stage) forget(t *testing.T, queue string) {
	t.Helper()
	_, err := sqs.NewFromConfig(s.config).DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &queue})
	if err != nil {
		t.Fatal(err)
	}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{
		Root: "..", SFNWaitScale: 0.005, Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{config: cloud.AWSConfig(), covered: map[string]bool{}}
	s.standard, s.fifo, s.mailbox = s.queue(t, "jobs"), s.queue(t, "jobs.fifo"), s.queue(t, "mailbox")
	topic, err := sns.NewFromConfig(s.config).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("topic")})
	if err != nil {
		t.Fatal(err)
	}
	s.topic = *topic.TopicArn
	_, err = sns.NewFromConfig(s.config).Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: &s.topic, Protocol: aws.String("sqs"),
		Endpoint: aws.String("arn:aws:sqs:" + s.config.Region + ":000000000000:mailbox"),
	})
	if err != nil {
		t.Fatal(err)
	}
	role := s.role(t)
	functions := s.functions(t, role)
	s.machine = s.stateMachine(t, role, "verify", s.standard, functions)
	s.fifoTwin = s.stateMachine(t, role, "verify-fifo", s.fifo, functions)
	return s
}

func (s *stage) queue(t *testing.T, name string) string {
	t.Helper()
	attributes := map[string]string{}
	if strings.HasSuffix(name, ".fifo") {
		attributes["FifoQueue"] = "true"
	}
	if name == "mailbox" {
		attributes["Policy"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}`
	}
	made, err := sqs.NewFromConfig(s.config).CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: &name, Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl
}

func (s *stage) role(t *testing.T) string {
	t.Helper()
	made, err := iam.NewFromConfig(s.config).CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String("stage"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Principal":{"Service":["lambda.amazonaws.com","states.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.Role.Arn
}

// functions makes a scripted function for each step; the report's script is the real function unless the scenario has
// another.
func (s *stage) functions(t *testing.T, role string) map[string]string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(server.Close)
	pack := scriptedPackage(t)
	arns := map[string]string{}
	for _, step := range []string{"prepare", "rollout", "outcome", "rollback", "report"} {
		made, err := lambda.NewFromConfig(s.config).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: aws.String("verify-" + step), Role: &role, Runtime: lambdatypes.RuntimeProvidedal2023,
			Handler: aws.String("bootstrap"), Code: &lambdatypes.FunctionCode{ZipFile: pack}, Timeout: aws.Int32(30),
			Environment: &lambdatypes.Environment{Variables: map[string]string{"SCRIPT": server.URL + "/" + step}},
		})
		if err != nil {
			t.Fatal(err)
		}
		arns[step] = *made.FunctionArn
	}
	return arns
}

// answer serves the scripted functions.
func (s *stage) answer(w http.ResponseWriter, r *http.Request) {
	step := strings.TrimPrefix(r.URL.Path, "/")
	event, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[step] = append(s.requests[step], event)
	var answer any
	if left := s.answers[step]; len(left) > 0 {
		answer = left[0]
		if len(left) > 1 {
			s.answers[step] = left[1:]
		}
	} else {
		var request verify.ReportRequest
		if err := json.Unmarshal(event, &request); err != nil {
			answer = messages.InvokeResponse_Error{Type: "BadRequest", Message: err.Error()}
		} else {
			answer, _ = verify.Reporter{Stack: "stage"}.Report(r.Context(), request) // never fails
		}
	}
	reply := map[string]any{"Output": answer}
	if broken, is := answer.(messages.InvokeResponse_Error); is {
		reply = map[string]any{"Error": broken}
	}
	_ = json.NewEncoder(w).Encode(reply)
}

func scriptedPackage(t *testing.T) []byte {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./testdata/scripted")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	entry, err := archive.CreateHeader(header)
	if err == nil {
		_, err = entry.Write(content)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (s *stage) stateMachine(t *testing.T, role, name, queue string, functions map[string]string) string {
	t.Helper()
	_, text := verification(t)
	text = limitExpression.ReplaceAllString(text, `"TimeoutSeconds": 3`) // the emulator takes a number only
	values := map[string]string{"QueueUrl": queue, "NotificationTopicArn": s.topic, "StackName": "stage"}
	for step, arn := range functions {
		values[strings.ToUpper(step[:1])+step[1:]+"FunctionArn"] = arn
	}
	text = regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(text, func(placeholder string) string {
		return values[strings.Trim(placeholder, "${}")]
	})
	made, err := sfn.NewFromConfig(s.config).CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &text, RoleArn: &role,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.StateMachineArn
}
