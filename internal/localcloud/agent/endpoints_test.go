package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// waiting runs a task that does nothing and returns it.
func waiting(t *testing.T, b *bundle) *task {
	t.Helper()
	record := b.record("task-1")
	record.Definition.TaskRoleARN = "arn:aws:iam::000000000000:role/good"
	if err := b.agent.RunTask(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	b.await(t, func() bool { return b.emulator.ran(record.ARN) })
	b.agent.mu.Lock()
	defer b.agent.mu.Unlock()
	return b.agent.tasks[record.ARN]
}

func TestCredentials(t *testing.T) {
	b := setup(t, "sleep 60")
	task := waiting(t, b)
	url := b.agent.endpoint + credentialsPath + task.token
	if status, _ := get(t, url, "guessed"); status != http.StatusForbidden {
		t.Errorf("with a wrong token: status %d", status)
	}
	if status, _ := get(t, b.agent.endpoint+credentialsPath+"guessed", task.token); status != http.StatusNotFound {
		t.Errorf("with a wrong path: status %d", status)
	}
	for range 2 {
		status, body := get(t, url, task.token)
		var keys map[string]string
		if err := json.Unmarshal([]byte(body), &keys); err != nil || status != http.StatusOK {
			t.Fatalf("status %d: %s, %v", status, body, err)
		}
		if keys["AccessKeyId"] != "ASIA" || keys["SecretAccessKey"] != "secret of task-1" || keys["Token"] != "token" {
			t.Errorf("credentials %v", keys)
		}
	}
	if b.emulator.keys != 1 {
		t.Errorf("the role was assumed %d times for one session", b.emulator.keys)
	}
}

func TestMetadata(t *testing.T) {
	b := setup(t, "sleep 60")
	task := waiting(t, b)
	_, body := get(t, b.agent.endpoint+metadataPath+task.token+"/task", "")
	var of struct {
		TaskARN, Family, Revision, KnownStatus, ServiceName string
		Limits                                              struct{ CPU, Memory float64 }
		Containers                                          []struct{ Name, Image string }
	}
	if err := json.Unmarshal([]byte(body), &of); err != nil {
		t.Fatal(err)
	}
	if of.TaskARN != task.record.ARN || of.Family != "f" || of.Revision != "7" || of.KnownStatus != "RUNNING" ||
		of.ServiceName != "s" || of.Limits.CPU != 0.25 || of.Limits.Memory != 512 || len(of.Containers) != 1 {
		t.Errorf("task metadata %s", body)
	}
	_, body = get(t, b.agent.endpoint+metadataPath+task.token, "")
	if !strings.Contains(body, `"Image":"worker"`) || !strings.Contains(body, task.record.ARN) {
		t.Errorf("container metadata %s", body)
	}
}

func TestTaskProtection(t *testing.T) {
	const arn = "arn:aws:ecs:us-east-1:000000000000:task/c/task-1"
	tests := []struct {
		name, body   string
		status       int    // of ECS
		answer       string // of ECS
		wantRequest  string
		wantStatus   int
		wantResponse string
	}{
		{"set", `{"ProtectionEnabled":true,"ExpiresInMinutes":5}`, 200,
			`{"protectedTasks":[{"taskArn":"` + arn + `","protectionEnabled":true,"expirationDate":1790000000}]}`,
			`"expiresInMinutes":5`, 200,
			`{"protection":{"ProtectionEnabled":true,"ExpirationDate":"2026-09-21T14:13:20Z",` +
				`"TaskArn":"` + arn + `"}}`},
		{"blocked", `{"ProtectionEnabled":true}`, 200,
			`{"failures":[{"arn":"` + arn + `","reason":"DEPLOYMENT_BLOCKED"}]}`, `"protectionEnabled":true`, 200,
			`{"failure":{"Arn":"` + arn + `","Reason":"DEPLOYMENT_BLOCKED","Detail":null}}`},
		{"not permitted", `{"ProtectionEnabled":true}`, 400,
			`{"__type":"AccessDeniedException","message":"no"}`, "", 400,
			`{"error":{"Arn":"` + arn + `","Code":"AccessDeniedException","Message":"no"}}`},
		{"without its field", `{}`, 0, ``, "", 400, `{"error":{"Arn":"` +
			arn + `","Code":"InvalidParameterException",` +
			`"Message":"Invalid request: does not contain 'ProtectionEnabled' field"}}`},
		{"no JSON", `nonsense`, 0, ``, "", 400, `{"error":{"Arn":"` + arn +
			`","Code":"InvalidParameterException","Message":"UpdateTaskProtection: failed to decode request"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked, signer string
			ecs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked, signer = string(body), r.Header.Get("Authorization")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			}))
			defer ecs.Close()
			b := setup(t, "sleep 60")
			b.agent.config.AWS = aws.Config{Region: "us-east-1", BaseEndpoint: &ecs.URL}
			task := waiting(t, b)

			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
				b.agent.endpoint+agentPath+task.token+"/task-protection/v1/state", strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, _ := io.ReadAll(resp.Body)
			if got := strings.TrimSpace(string(body)); resp.StatusCode != test.wantStatus || got != test.wantResponse {
				t.Errorf("status %d, %s; want %d, %s", resp.StatusCode, got, test.wantStatus, test.wantResponse)
			}
			if !strings.Contains(asked, test.wantRequest) {
				t.Errorf("ECS was asked %s", asked)
			}
			if test.status != 0 && !strings.Contains(signer, "Credential=ASIA/") {
				t.Errorf("ECS was not asked as the task's role: %s", signer)
			}
		})
	}
}
