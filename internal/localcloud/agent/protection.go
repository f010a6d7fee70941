package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// The agent endpoint for task protection asks ECS with the credentials of the task's role, so that the role needs
// ecs:GetTaskProtection and ecs:UpdateTaskProtection. Source: "Task scale-in protection endpoint" in the ECS guide.

type protection struct {
	ProtectionEnabled bool
	ExpirationDate    string `json:",omitempty"` // RFC 3339
	TaskArn           string
}

type protectionFailure struct {
	Arn    string
	Reason string  // such as DEPLOYMENT_BLOCKED
	Detail *string // always null
}

type protectionError struct {
	Arn     string `json:",omitempty"`
	Code    string
	Message string
}

type protectionAnswer struct {
	RequestID  string             `json:"requestID,omitempty"`
	Protection *protection        `json:"protection,omitempty"`
	Failure    *protectionFailure `json:"failure,omitempty"`
	Error      *protectionError   `json:"error,omitempty"`
}

func (a *Agent) putProtection(w http.ResponseWriter, r *http.Request, t *task) {
	var body struct {
		ProtectionEnabled *bool
		ExpiresInMinutes  *int32
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuseProtection(w, t, "UpdateTaskProtection: failed to decode request")
		return
	}
	if body.ProtectionEnabled == nil {
		refuseProtection(w, t, "Invalid request: does not contain 'ProtectionEnabled' field")
		return
	}
	out, err := a.ecsAs(t).UpdateTaskProtection(r.Context(), &ecs.UpdateTaskProtectionInput{
		Cluster: aws.String(t.record.ClusterARN), Tasks: []string{t.record.ARN},
		ProtectionEnabled: *body.ProtectionEnabled, ExpiresInMinutes: body.ExpiresInMinutes,
	})
	if err != nil {
		writeProtectionError(w, t, err)
		return
	}
	writeProtection(w, out.ProtectedTasks, out.Failures)
}

func (a *Agent) getProtection(w http.ResponseWriter, r *http.Request, t *task) {
	out, err := a.ecsAs(t).GetTaskProtection(r.Context(), &ecs.GetTaskProtectionInput{
		Cluster: aws.String(t.record.ClusterARN), Tasks: []string{t.record.ARN},
	})
	if err != nil {
		writeProtectionError(w, t, err)
		return
	}
	writeProtection(w, out.ProtectedTasks, out.Failures)
}

// ecsAs is an ECS client with the task's own permissions.
func (a *Agent) ecsAs(t *task) *ecs.Client {
	config := a.config.AWS.Copy()
	config.Credentials = aws.AnonymousCredentials{}
	if t.keys != nil {
		config.Credentials = t.keys
	}
	return ecs.NewFromConfig(config)
}

func writeProtection(w http.ResponseWriter, protected []types.ProtectedTask, failures []types.Failure) {
	answer := protectionAnswer{}
	if len(protected) > 0 {
		p := protected[0]
		answer.Protection = &protection{ProtectionEnabled: p.ProtectionEnabled, TaskArn: aws.ToString(p.TaskArn)}
		if p.ExpirationDate != nil {
			answer.Protection.ExpirationDate = p.ExpirationDate.UTC().Format(time.RFC3339)
		}
	} else if len(failures) > 0 {
		f := failures[0]
		answer.Failure = &protectionFailure{Arn: aws.ToString(f.Arn), Reason: aws.ToString(f.Reason), Detail: f.Detail}
	}
	writeJSON(w, http.StatusOK, answer)
}

func refuseProtection(w http.ResponseWriter, t *task, message string) {
	writeJSON(w, http.StatusBadRequest, protectionAnswer{Error: &protectionError{
		Arn: t.record.ARN, Code: "InvalidParameterException", Message: message}})
}

func writeProtectionError(w http.ResponseWriter, t *task, err error) {
	status, problem := http.StatusInternalServerError,
		&protectionError{Arn: t.record.ARN, Code: "ServerException", Message: err.Error()}
	var fault smithy.APIError
	if errors.As(err, &fault) {
		problem.Code, problem.Message = fault.ErrorCode(), fault.ErrorMessage()
		if fault.ErrorFault() != smithy.FaultServer {
			status = http.StatusBadRequest
		}
	}
	writeJSON(w, status, protectionAnswer{Error: problem})
}
