package ministack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/iam"
)

// PathPrefix begins the paths between the two processes; a proxy for clients must refuse them.
const PathPrefix = "/_localcloud/"

const tokenHeader = "X-Localcloud-Token"

// Hooks are what the emulator asks of this process.
type Hooks interface {
	// Resource makes, changes or deletes a CloudFormation resource of one of the ResourceTypes.
	Resource(context.Context, ResourceRequest) (ResourceResult, error)
	// RunTask takes an ECS task that is to run. It returns at once; the rest is told by TaskRunning and TaskStopped.
	RunTask(context.Context, Task) error
	// StopTask takes the order to end a task, which may be unknown.
	StopTask(ctx context.Context, arn, reason string) error
}

// ResourceRequest is one step of a CloudFormation resource's life.
type ResourceRequest struct {
	// Step is "create", "update" or "delete"; it comes from the path of the request.
	Step            string         `json:"-"`
	Type            string         `json:"type"`
	LogicalID       string         `json:"logicalId"`
	StackName       string         `json:"stackName"`
	PhysicalID      string         `json:"physicalId"`
	Properties      map[string]any `json:"properties"`
	OldProperties   map[string]any `json:"oldProperties"`
	Account, Region string
}

// ResourceResult is what Ref and GetAtt of a resource answer. A physical id that differs from the one of an update
// means that the resource was replaced: the old one is deleted later, by a step of its own.
type ResourceResult struct {
	PhysicalID string         `json:"physicalId"`
	Attributes map[string]any `json:"attributes"`
}

// serveHooks listens for the emulator's calls.
func (p *Process) serveHooks(hooks Hooks) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the emulator's calls: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathPrefix+"cloudformation/{step}", p.hook(func(r *http.Request) (any, error) {
		request := ResourceRequest{Step: r.PathValue("step")}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			return nil, err
		}
		return hooks.Resource(r.Context(), request)
	}))
	mux.HandleFunc("POST "+PathPrefix+"ecs/run", p.hook(func(r *http.Request) (any, error) {
		var task Task
		if err := json.NewDecoder(r.Body).Decode(&task); err != nil {
			return nil, err
		}
		return struct{}{}, hooks.RunTask(r.Context(), task)
	}))
	mux.HandleFunc("POST "+PathPrefix+"ecs/stop", p.hook(func(r *http.Request) (any, error) {
		var order struct{ ARN, Reason string }
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			return nil, err
		}
		return struct{}{}, hooks.StopTask(r.Context(), order.ARN, order.Reason)
	}))
	p.hooks = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.hooks.Serve(listener) }() // ends with Close
	return listener.Addr().String(), nil
}

func (p *Process) hook(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(tokenHeader) != p.token {
			http.Error(w, `{"message":"wrong token"}`, http.StatusForbidden)
			return
		}
		answer, err := do(r)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]string{"message": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer) // the emulator notices a broken answer itself
	}
}

// call asks the launcher something. The answer may be nil.
func (p *Process) call(ctx context.Context, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("emulator %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL().JoinPath(PathPrefix, path).String(),
		bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("emulator %s: %w", path, err)
	}
	req.Header.Set(tokenHeader, p.token)
	resp, err := p.client.Do(req)
	if err != nil {
		if died := p.Err(); died != nil {
			return died
		}
		return fmt.Errorf("emulator %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Message string }
		_ = json.NewDecoder(resp.Body).Decode(&problem)
		return fmt.Errorf("emulator %s: %s", path, problem.Message)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("emulator %s: unreadable answer: %w", path, err)
	}
	return nil
}

// Identify answers who owns an access key.
func (p *Process) Identify(ctx context.Context, accessKey, sessionToken string) (arn string, root bool, err error) {
	var answer struct {
		ARN           string
		Root          bool
		Code, Message string
	}
	err = p.call(ctx, "iam/identify", map[string]string{
		"accessKey": accessKey, "sessionToken": sessionToken, "account": Account,
	}, &answer)
	if err == nil && answer.Code != "" {
		err = &iam.Denied{Code: answer.Code, Message: answer.Message}
	}
	return answer.ARN, answer.Root, err
}

// Authorize implements iam.Authorizer with the policies that the emulator knows.
func (p *Process) Authorize(ctx context.Context, caller iam.Caller, q iam.Question) error {
	var answer struct{ Code, Message string }
	err := p.call(ctx, "iam/authorize", map[string]any{
		"accessKey": caller.AccessKey, "account": caller.Account, "region": caller.Region,
		"action": q.Action, "resource": q.Resource, "context": q.Context,
	}, &answer)
	if err == nil && answer.Code != "" {
		err = &iam.Denied{Code: answer.Code, Message: answer.Message}
	}
	return err
}

// Credentials are temporary keys of a role.
type Credentials struct {
	AccessKey    string  `json:"accessKey"`
	SecretKey    string  `json:"secretKey"`
	SessionToken string  `json:"sessionToken"`
	Expiration   float64 `json:"expiration"` // Unix seconds
}

// TaskCredentials are keys of an ECS task's role, whose trust policy must name ecs-tasks.amazonaws.com.
func (p *Process) TaskCredentials(ctx context.Context, role, session string, valid time.Duration) (Credentials, error) {
	return p.RoleCredentials(ctx, role, "ecs-tasks.amazonaws.com", session, valid)
}

// RoleCredentials are keys of a role as a service of AWS gets them, which the role's trust policy must name.
func (p *Process) RoleCredentials(ctx context.Context, role, service, session string, valid time.Duration) (
	Credentials, error,
) {
	var answer Credentials
	err := p.call(ctx, "iam/role-credentials", map[string]any{
		"role": role, "service": service, "session": session, "seconds": valid.Seconds(),
		"account": Account, "region": Region,
	}, &answer)
	return answer, err
}

// GiveBack makes messages visible again as if they had not been received.
func (p *Process) GiveBack(ctx context.Context, queueURL string, receipts []string) error {
	return p.call(ctx, "sqs/give-back", map[string]any{
		"queueUrl": queueURL, "receipts": receipts, "account": Account, "region": Region,
	}, nil)
}

// PutEvent puts an event that only AWS may send (source "aws....") onto the default bus.
func (p *Process) PutEvent(ctx context.Context, source, detailType string, resources []string, detail any) error {
	return p.call(ctx, "events/put", map[string]any{
		"source": source, "detailType": detailType, "resources": resources, "detail": detail,
		"account": Account, "region": Region,
	}, nil)
}
