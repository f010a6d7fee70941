package consumer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAgentSpeaksToECS(t *testing.T) {
	type exchange struct {
		status       int
		answer       string
		want         string // part of the error; blank: none
		wantSentinel error
	}
	for name, x := range map[string]exchange{
		"done":    {200, `{"protection":{"ProtectionEnabled":true,"ExpirationDate":"2026-01-01T00:00:00Z"}}`, "", nil},
		"blocked": {200, `{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED"}}`, "DEPLOYMENT_BLOCKED", ErrBlocked},
		"refused": {200, `{"failure":{"Reason":"TASK_NOT_VALID","Detail":"gone"}}`, "TASK_NOT_VALID gone", nil},
		"error":   {400, `{"error":{"Code":"AccessDeniedException","Message":"no"}}`, "AccessDeniedException: no", nil},
		"garbage": {502, `<html>`, "502", nil},
		"lie":     {200, `<html>`, "instead of JSON", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.URL.Path + " " + string(body)
				w.WriteHeader(x.status)
				_, _ = io.WriteString(w, x.answer)
			}))
			defer server.Close()
			a := NewAgent(server.URL+"/api/123/", "")
			err := a.Protect(context.Background(), true, 13*time.Minute+time.Second)
			want := `PUT /api/123/task-protection/v1/state {"ExpiresInMinutes":14,"ProtectionEnabled":true}`
			if got != want {
				t.Errorf("request %s, want %s", got, want)
			}
			if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want %q", err, x.want)
			}
			if x.wantSentinel != nil && !errors.Is(err, x.wantSentinel) {
				t.Errorf("error %v is not %v", err, x.wantSentinel)
			}
			_ = a.Protect(context.Background(), false, 0)
			if !strings.HasSuffix(got, `{"ProtectionEnabled":false}`) {
				t.Errorf("request %s", got)
			}
		})
	}
	if err := NewAgent("", "").Protect(context.Background(), true, time.Minute); err != nil {
		t.Errorf("without an agent: %v", err)
	}
}

func TestAgentTellsWhichTaskThisIs(t *testing.T) {
	answer := `{"Image":"repo/worker:1","ImageID":"sha256:id","Labels":{` +
		`"com.amazonaws.ecs.task-arn":"arn:aws:ecs:r:1:task/c/0123",` +
		`"com.amazonaws.ecs.task-definition-family":"jobs","com.amazonaws.ecs.task-definition-version":"7"}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	a := NewAgent("", server.URL)
	if got, err := a.Task(context.Background()); err != nil || got != (Task{"0123", "sha256:id", "jobs:7"}) {
		t.Errorf("%+v, %v", got, err)
	}
	answer = strings.Replace(answer, "worker:1", "worker@sha256:manifest", 1)
	if got, _ := a.Task(context.Background()); got.ImageDigest != "sha256:manifest" {
		t.Errorf("digest %q, want that of the image's name", got.ImageDigest)
	}
	server.Close()
	if _, err := a.Task(context.Background()); err == nil {
		t.Error("no error although nothing answers")
	}
}
