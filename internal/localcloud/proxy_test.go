package localcloud

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/localcloud/iam"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
)

func signedAs(key, service string) string {
	return "AWS4-HMAC-SHA256 Credential=" + key + "/20261125/eu-west-1/" + service +
		"/aws4_request, SignedHeaders=host, Signature=0"
}

func TestServiceOf(t *testing.T) {
	tests := []struct {
		name, target, path, authorization, want string
	}{
		{"JSON target", "AnyScaleFrontendService.PutScalingPolicy", "/", "", "application-autoscaling"},
		{"JSON target of CloudWatch", "GraniteServiceVersion20100801.GetMetricData", "/", "", "monitoring"},
		{"CBOR path", "", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "", "monitoring"},
		{"query protocol", "", "/", signedAs("test", "monitoring"), "monitoring"},
		{"another service", "", "/", signedAs("test", "sqs"), "sqs"},
		{"presigned", "", "/bucket/key?X-Amz-Credential=test%2F20261125%2Fus-east-1%2Fs3%2Faws4_request", "", "s3"},
		{"a bucket named service", "", "/service/GraniteServiceVersion20100801/key", signedAs("test", "s3"), "s3"},
		{"unsigned", "", "/", "", ""},
		{"nonsense", "x", "/service/", "AWS4-HMAC-SHA256 Credential=a/b", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, test.path, nil)
			r.Header.Set("X-Amz-Target", test.target)
			r.Header.Set("Authorization", test.authorization)
			if got := serviceOf(r); got != test.want {
				t.Errorf("service %q, want %q", got, test.want)
			}
		})
	}
}

// proxied returns a proxy in front of a fake emulator, and the requests that the emulator saw.
func proxied(t *testing.T, answer string) (*proxy, *httptest.Server, *[]*http.Request) {
	t.Helper()
	var seen []*http.Request
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		seen = append(seen, r)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(emulator.Close)
	target, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(target, slog.New(slog.DiscardHandler))
	p.identify = func(_ context.Context, key, token string) (string, bool, error) {
		if key != "ASIA" || token != "token" {
			return "", false, &iam.Denied{Code: "UnrecognizedClientException", Message: "invalid"}
		}
		return "arn:aws:sts::000000000000:assumed-role/r/s", false, nil
	}
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	return p, front, &seen
}

func send(t *testing.T, front *httptest.Server, path string, header map[string]string, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.Host = header["Host"]
	resp, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestForwarding: a signature covers host, path, query and headers, so they must arrive as they were sent.
func TestForwarding(t *testing.T) {
	_, front, seen := proxied(t, "answer")
	const path = "/bucket/a%2Fb%20c?list-type=2&prefix=x%2Fy"
	status, body := send(t, front, path, map[string]string{
		"Host": "bucket.s3.localhost:1234", "Authorization": signedAs("test", "s3"), "X-Amz-Date": "d"}, "content")
	if status != http.StatusOK || body != "answer" {
		t.Errorf("status %d, %q", status, body)
	}
	got := (*seen)[0]
	if got.Host != "bucket.s3.localhost:1234" || got.RequestURI != path || got.Header.Get("X-Amz-Date") != "d" {
		t.Errorf("the emulator saw %s %s %v", got.Host, got.RequestURI, got.Header)
	}
	for _, added := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Accept-Encoding"} {
		if value := got.Header.Get(added); value != "" && added != "Accept-Encoding" {
			t.Errorf("the proxy added %s: %s", added, value)
		}
	}
}

func TestOurOwnPathsAreClosed(t *testing.T) {
	_, front, seen := proxied(t, "")
	status, _ := send(t, front, ministack.PathPrefix+"iam/role-credentials", nil, "{}")
	if status != http.StatusNotFound || len(*seen) != 0 {
		t.Errorf("status %d, the emulator saw %d requests", status, len(*seen))
	}
}

func TestCallers(t *testing.T) {
	denied := &iam.Denied{Code: "AccessDeniedException", Message: "no"}
	tests := []struct {
		name, key, token string
		wantARN          string
		want             string // error of a question
	}{
		{"root", "test", "", "arn:aws:iam::000000000000:root", ""},
		{"a role", "ASIA", "token", "arn:aws:sts::000000000000:assumed-role/r/s", "AccessDeniedException"},
		{"a role without its token", "ASIA", "", "", "UnrecognizedClientException"},
		{"an unknown key", "AKIA", "", "", "UnrecognizedClientException"},
		{"unsigned", "", "", "", "MissingAuthenticationTokenException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, front, seen := proxied(t, "")
			p.policies = refuse{denied}
			var caller iam.Caller
			var answer error
			p.serve("monitoring", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				caller = iam.CallerOf(r.Context())
				answer = iam.Authorize(r.Context(), iam.Question{Action: "cloudwatch:PutMetricData", Resource: "*"})
			}))
			header := map[string]string{"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData",
				"X-Amz-Security-Token": test.token}
			if test.key != "" {
				header["Authorization"] = signedAs(test.key, "monitoring")
			}
			send(t, front, "/", header, "")
			if caller.ARN != test.wantARN || test.key != "" && caller.Region != "eu-west-1" {
				t.Errorf("caller %+v, want %s", caller, test.wantARN)
			}
			var refusal *iam.Denied
			if errors.As(answer, &refusal) != (test.want != "") || refusal != nil && refusal.Code != test.want {
				t.Errorf("answer %v, want %q", answer, test.want)
			}
			if len(*seen) != 0 {
				t.Error("the emulator saw a request of a service that is ours")
			}
		})
	}
}

func TestWatchSQS(t *testing.T) {
	const answer = `{"Messages":[]}`
	p, front, seen := proxied(t, answer)
	var calls []sqswatch.Call
	p.sqs.add(func(c sqswatch.Call) { calls = append(calls, c) })
	for _, action := range []string{"ReceiveMessage", "GetQueueAttributes", "SendMessageBatch"} {
		_, body := send(t, front, "/", map[string]string{"X-Amz-Target": "AmazonSQS." + action,
			"Authorization": signedAs("test", "sqs")}, `{"QueueUrl":"q"}`)
		if body != answer {
			t.Errorf("%s was answered %q", action, body)
		}
	}
	if len(*seen) != 3 || len(calls) != 2 ||
		calls[0].Action != "ReceiveMessage" || calls[1].Action != "SendMessageBatch" {
		t.Fatalf("the emulator saw %d calls, the watcher %v", len(*seen), calls)
	}
	if string(calls[0].Request) != `{"QueueUrl":"q"}` || string(calls[0].Response) != answer || calls[0].At.IsZero() {
		t.Errorf("the watcher saw %+v", calls[0])
	}
	body, _ := io.ReadAll((*seen)[0].Body)
	if string(body) != `{"QueueUrl":"q"}` {
		t.Errorf("the emulator got the body %q", body)
	}
}

// A client that leaves its long poll must not take messages with it.
func TestReceiveOfAClientThatHasGone(t *testing.T) {
	polling, left := make(chan struct{}), make(chan struct{})
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(polling)
		<-left
		_, _ = io.WriteString(w, `{"Messages":[{"MessageId":"m","ReceiptHandle":"r"}]}`)
	}))
	defer emulator.Close()
	at, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	returned := make(chan []string, 1)
	watchers := &sqsWatchers{giveBack: func(_ context.Context, queue string, receipts []string) {
		returned <- append(receipts, queue)
	}}
	watchers.add(func(call sqswatch.Call) { t.Errorf("told of a receive that nobody saw: %s", call.Response) })
	ctx, leave := context.WithCancel(t.Context())
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"QueueUrl":"q"}`))
	go func() {
		<-polling
		leave()
		close(left)
	}()
	watchers.forward(forwarder(at, slog.New(slog.DiscardHandler)), receive, httptest.NewRecorder(), request)
	if got := <-returned; !slices.Equal(got, []string{"r", "q"}) {
		t.Errorf("gave back %q, want the message r of queue q", got)
	}
}

// What the emulator did is told, also when the client did not wait for it.
func TestDeleteOfAClientThatHasGone(t *testing.T) {
	deleting, left := make(chan struct{}), make(chan struct{})
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(deleting)
		<-left
		_, _ = io.WriteString(w, `{}`)
	}))
	defer emulator.Close()
	at, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	watchers := &sqsWatchers{}
	watchers.add(func(sqswatch.Call) { told++ })
	ctx, leave := context.WithCancel(t.Context())
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"QueueUrl":"q"}`))
	go func() {
		<-deleting
		leave()
		close(left)
	}()
	watchers.forward(forwarder(at, slog.New(slog.DiscardHandler)), "DeleteMessage", httptest.NewRecorder(), request)
	if told != 1 {
		t.Errorf("told %d times of a delete that took place", told)
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, err = listen(taken.Addr().(*net.TCPAddr).Port)
	if err == nil || !strings.Contains(err.Error(), "is in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestRepeatedExecuteChangeSet(t *testing.T) {
	for body, want := range map[string]int{
		"<Message>ChangeSet is in EXECUTE_IN_PROGRESS</Message>": http.StatusOK,
		"<Message>ChangeSet is in FAILED</Message>":              http.StatusBadRequest,
	} {
		emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		}))
		defer emulator.Close()
		at, err := url.Parse(emulator.URL)
		if err != nil {
			t.Fatal(err)
		}
		cloud := &Cloud{proxy: newProxy(at, slog.New(slog.DiscardHandler))}
		cloud.proxy.serve("cloudformation", cloud.serveCloudFormation())
		front := httptest.NewServer(cloud.proxy)
		defer front.Close()
		status, answer := send(t, front, "/", map[string]string{"Content-Type": formType,
			"Authorization": signedAs("test", "cloudformation")}, "Action=ExecuteChangeSet&ChangeSetName=c")
		if status != want {
			t.Errorf("after %q the client is answered %d, %s", body, status, answer)
		}
	}
}

func TestFormOf(t *testing.T) {
	tests := []struct{ body, contentType, want string }{
		{"Action=DeleteStack&StackName=demo", formType + "; charset=utf-8", "DeleteStack"},
		{"Action=DeleteStack&StackName=demo", "application/json", ""},
		{"%zz", formType, ""},
	}
	for _, test := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set("Content-Type", test.contentType)
		if got := formOf(r, []byte(test.body)).Get("Action"); got != test.want {
			t.Errorf("%q as %s is the action %q, want %q", test.body, test.contentType, got, test.want)
		}
	}
}

func TestRegistryIsCheckedStepByStep(t *testing.T) {
	tests := []struct{ method, path, action, repository string }{
		{http.MethodGet, "/v2/", "", ""},
		{http.MethodHead, "/v2/team/worker/manifests/sha256:1", "ecr:BatchGetImage", "team/worker"},
		{http.MethodPut, "/v2/worker/manifests/v1", "ecr:PutImage", "worker"},
		{http.MethodPost, "/v2/worker/blobs/uploads/", "ecr:InitiateLayerUpload", "worker"},
		{http.MethodPatch, "/v2/worker/blobs/uploads/1", "ecr:UploadLayerPart", "worker"},
		{http.MethodPut, "/v2/worker/blobs/uploads/1", "ecr:CompleteLayerUpload", "worker"},
		{http.MethodHead, "/v2/worker/blobs/sha256:1", "ecr:BatchCheckLayerAvailability", "worker"},
		{http.MethodGet, "/v2/worker/blobs/sha256:1", "ecr:GetDownloadUrlForLayer", "worker"},
		{http.MethodGet, "/v2/worker/tags/list", "ecr:ListImages", "worker"},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil)
			if !isRegistry(request) {
				t.Error("it is taken for a request to another service")
			}
			action, repository := registryAction(request)
			if action != test.action || repository != test.repository {
				t.Errorf("checked as %q on %q, want %q on %q", action, repository, test.action, test.repository)
			}
		})
	}
	for _, path := range []string{"/v2/apis/1", "/v2/email/identities", "/bucket/v2/", "/v2"} {
		if isRegistry(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)) {
			t.Errorf("%s is taken for the registry", path)
		}
	}
}

func TestRegistryCallers(t *testing.T) {
	p, front, seen := proxied(t, "")
	p.policies = refuse{&iam.Denied{Code: "AccessDeniedException", Message: "no"}}
	put := func(user, key string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, front.URL+"/v2/worker/manifests/v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, key)
		}
		resp, err := front.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := put("", ""); got != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got)
	}
	if got := put("AWS", "ASIA"); got != http.StatusForbidden {
		t.Errorf("without permission: %d", got)
	}
	if got := put("AWS", "test"); got != http.StatusOK || len(*seen) != 1 {
		t.Errorf("as root: %d, the emulator saw %d requests", got, len(*seen))
	}
}
