package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// ErrBlocked says that ECS refused protection because a deployment is waiting to replace the task.
var ErrBlocked = errors.New("ECS refuses task protection: DEPLOYMENT_BLOCKED")

// An Agent is the ECS agent that serves the task.
type Agent struct {
	protection string // URL, blank where there is none
	metadata   string
	client     *http.Client
}

// NewAgent returns the agent behind the two URLs that ECS puts in a task's environment as ECS_AGENT_URI and
// ECS_CONTAINER_METADATA_URI_V4; either may be blank. It makes no call.
func NewAgent(agentURI, metadataURI string) *Agent {
	a := &Agent{metadata: metadataURI, client: &http.Client{Timeout: 5 * time.Second}}
	if agentURI != "" {
		a.protection = strings.TrimSuffix(agentURI, "/") + "/task-protection/v1/state"
	}
	return a
}

// Protect switches scale-in protection on, for at least the time that is given (ECS counts in minutes), or off.
func (a *Agent) Protect(ctx context.Context, on bool, expires time.Duration) error {
	if a.protection == "" {
		return nil
	}
	request := map[string]any{"ProtectionEnabled": on}
	if on {
		request["ExpiresInMinutes"] = min(max(int((expires+time.Minute-1)/time.Minute), 1), 2880)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := a.do(ctx, http.MethodPut, a.protection, body)
	if err != nil {
		return err
	}
	return protectionError(answer)
}

// protectionError reads the agent's answer to a request for protection.
func protectionError(answer []byte) error {
	var reply struct {
		Failure *struct{ Reason, Detail string } `json:"failure"`
		Error   *struct{ Code, Message string }  `json:"error"`
	}
	if err := json.Unmarshal(answer, &reply); err != nil {
		return fmt.Errorf("the ECS agent answered %q instead of JSON: %w", shorten(answer), err)
	}
	switch {
	case reply.Failure != nil && reply.Failure.Reason == "DEPLOYMENT_BLOCKED":
		return ErrBlocked
	case reply.Failure != nil:
		return fmt.Errorf("ECS refuses task protection: %s %s", reply.Failure.Reason, reply.Failure.Detail)
	case reply.Error != nil:
		return fmt.Errorf("the ECS agent cannot protect the task: %s: %s", reply.Error.Code, reply.Error.Message)
	}
	return nil
}

// Task asks for the task's id, the digest of the container's image, and the task definition.
func (a *Agent) Task(ctx context.Context) (Task, error) {
	if a.metadata == "" {
		return Task{}, nil
	}
	answer, err := a.do(ctx, http.MethodGet, a.metadata, nil)
	if err != nil {
		return Task{}, err
	}
	var container struct {
		Image, ImageID string
		Labels         map[string]string
	}
	if err := json.Unmarshal(answer, &container); err != nil {
		return Task{}, fmt.Errorf("the ECS metadata endpoint answered %q: %w", shorten(answer), err)
	}
	task := Task{ImageDigest: container.ImageID}
	if _, digest, found := strings.Cut(container.Image, "@"); found {
		task.ImageDigest = digest
	}
	if arn := container.Labels["com.amazonaws.ecs.task-arn"]; arn != "" {
		task.ID = path.Base(arn)
	}
	if family := container.Labels["com.amazonaws.ecs.task-definition-family"]; family != "" {
		task.Definition = family + ":" + container.Labels["com.amazonaws.ecs.task-definition-version"]
	}
	return task, nil
}

// do makes one call and returns the answer's body. The agent tells of failures in a body with a status that is not
// 200, so the status alone decides nothing as long as there is JSON.
func (a *Agent) do(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the ECS agent does not answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("the ECS agent's answer broke off: %w", err)
	}
	if response.StatusCode >= 300 && !json.Valid(answer) {
		return nil, fmt.Errorf("the ECS agent answered %s: %q", response.Status, shorten(answer))
	}
	return answer, nil
}

func shorten(b []byte) string {
	const most = 200
	if len(b) > most {
		b = b[:most]
	}
	return string(b)
}
