package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// Message attributes of a canary: a message that asks who works here. The first makes it one; the others, where they
// are given, say who may answer.
const (
	AttributeCanaryToken   = "CanaryTaskToken"   // the Step Functions task token to answer
	AttributeCanaryVersion = "CanaryVersion"     // the version that is asked for
	AttributeCanaryDigest  = "CanaryImageDigest" // the image digest that is asked for
)

// A CanaryAnswer says, as JSON, who answered a canary: the output of SendTaskSuccess, or the cause of SendTaskFailure.
type CanaryAnswer struct {
	Version        string `json:"version"`
	ImageDigest    string `json:"imageDigest"`
	TaskID         string `json:"taskId"`
	TaskDefinition string `json:"taskDefinition"` // family:revision
	// Message says what was wrong, in the cause of a failure.
	Message string `json:"message,omitempty"`
}

type canary struct{ token, version, digest string }

// canaryOf tells whether a message is a canary.
func canaryOf(m Message) (canary, bool) {
	if len(m.Attributes) == 0 {
		return canary{}, false
	}
	text := func(name string) string { return aws.ToString(m.Attributes[name].StringValue) }
	c := canary{text(AttributeCanaryToken), text(AttributeCanaryVersion), text(AttributeCanaryDigest)}
	return c, c.token != ""
}

// asks tells whether the canary may be answered by a worker that answers like that.
func (c canary) asks(a CanaryAnswer) bool {
	return (c.version == "" || c.version == a.Version) && (c.digest == "" || c.digest == a.ImageDigest)
}

// answer answers a canary's task token and tells what is to become of the message. One that asks for another version
// goes back, with a growing pause: each delivery counts towards the queue's redrive policy.
func (r *runner) answer(d *delivery, c canary, then func(outcome)) {
	ctx, cancel := context.WithTimeout(d.ctx, callTimeout)
	defer cancel()
	task := r.self.ask(ctx)
	reply := CanaryAnswer{
		Version: r.Version, ImageDigest: task.ImageDigest, TaskID: task.ID, TaskDefinition: task.Definition,
	}
	if r.StepFunctions == nil || !c.asks(reply) {
		r.Log.Info("canary given back: it asks for another worker", "message", d.ID, "version", c.version)
		then(outcome{fate: fateRetry, pause: pauseAfter(nil, d.ReceiveCount)})
		return
	}
	check := r.OnCanary
	if check == nil {
		check = func(context.Context, Message) error { return nil }
	}
	safely(d.ctx, check, d.Message, func(verdict error) { then(r.deliver(d, c, reply, verdict)) })
}

// deliver sends a canary's answer.
func (r *runner) deliver(d *delivery, c canary, reply CanaryAnswer, verdict error) outcome {
	if cause := context.Cause(d.ctx); cause != nil {
		return outcome{fate: judge(cause, cause)}
	}
	ctx, cancel := context.WithTimeout(d.ctx, callTimeout)
	defer cancel()
	if err := r.reply(ctx, c.token, reply, verdict); err != nil && !stale(err) {
		r.Log.Warn("canary not answered", "message", d.ID, "error", err)
		return outcome{fate: fateRetry, pause: pauseAfter(err, d.ReceiveCount)}
	}
	r.Log.Info("canary answered", "message", d.ID, "verdict", verdict)
	return outcome{fate: fateDelete}
}

// reply answers a task token with who this is, and with the verdict of the team's own checks.
func (r *runner) reply(ctx context.Context, token string, a CanaryAnswer, verdict error) error {
	if verdict != nil {
		a.Message = printable(verdict.Error())
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if verdict != nil {
		_, err = r.StepFunctions.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{
			TaskToken: &token, Error: aws.String("CanaryFailed"), Cause: aws.String(string(text)),
		})
		return err
	}
	_, err = r.StepFunctions.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{
		TaskToken: &token, Output: aws.String(string(text)),
	})
	return err
}

// stale tells whether nobody waits for the answer any more.
func stale(err error) bool {
	var (
		timedOut *types.TaskTimedOut
		gone     *types.TaskDoesNotExist
		invalid  *types.InvalidToken
	)
	return errors.As(err, &timedOut) || errors.As(err, &gone) || errors.As(err, &invalid)
}

// A Task says which task of ECS this is. What is unknown is blank.
type Task struct {
	ID          string
	ImageDigest string // sha256:...
	Definition  string // family:revision
}

// taskOnce asks for the task when it is first needed, and again until there is an answer.
type taskOnce struct {
	api taskAPI

	mu    sync.Mutex
	known *Task
}

func newTaskOnce(c Config) *taskOnce { return &taskOnce{api: c.Task} }

func (t *taskOnce) ask(ctx context.Context) Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.api == nil {
		return Task{}
	}
	if t.known == nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		task, err := t.api.Task(ctx)
		if err != nil {
			return Task{}
		}
		t.known = &task
	}
	return *t.known
}
