package workerimage

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// registryServer is a registry on localhost whose tags do not move, as those of the stack's repository.
type registryServer struct {
	repository string
	uploads    atomic.Int32 // of blobs and manifests
	requests   atomic.Int32
}

func startRegistry(t *testing.T) *registryServer {
	t.Helper()
	s := &registryServer{}
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.Method == http.MethodPut || r.Method == http.MethodPatch {
			s.uploads.Add(1)
		}
		if tag := strings.Contains(r.URL.Path, "/manifests/worker-"); tag && r.Method == http.MethodPut {
			head := httptest.NewRecorder()
			handler.ServeHTTP(head, httptest.NewRequestWithContext(r.Context(), http.MethodHead, r.URL.Path, nil))
			if head.Code == http.StatusOK {
				http.Error(w, `{"errors":[{"code":"TAG_INVALID","message":"immutable"}]}`, http.StatusBadRequest)
				return
			}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.repository = strings.TrimPrefix(server.URL, "http://") + "/stack/worker"
	return s
}

func TestPushIsIdempotentAndFindable(t *testing.T) {
	server, built := startRegistry(t), image(t)
	tag, err := Tag(built)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		reference, err := Registry{}.Push(t.Context(), server.repository, built, tag)
		if err != nil {
			t.Fatal(err)
		}
		if want := server.repository + "@" + digestOf(t, built); reference != want {
			t.Errorf("reference is %s, want %s", reference, want)
		}
	}
	first := server.uploads.Load()
	if _, err := (Registry{}).Push(t.Context(), server.repository, built, tag); err != nil {
		t.Fatal(err)
	}
	if again := server.uploads.Load() - first; again != 0 {
		t.Errorf("an image that was there was sent again: %d uploads", again)
	}

	digest, err := name.NewDigest(server.repository + "@" + digestOf(t, built))
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].ArtifactType != cycloneDX {
		t.Errorf("the image is referred to by %+v, want its bill of materials", manifest.Manifests)
	}

	for digest, want := range map[string]bool{digestOf(t, built): true, "sha256:" + strings.Repeat("0", 64): false} {
		if got, err := (Registry{}).Exists(t.Context(), server.repository, digest); err != nil || got != want {
			t.Errorf("Exists(%s) is %v, %v; want %v", digest, got, err, want)
		}
	}
}

// TestPushWithoutPermissionForReferrers: the image and its bill are there, which is what counts.
func TestPushWithoutPermissionForReferrers(t *testing.T) {
	open := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"not authorized"}]}`, http.StatusForbidden)
			return
		}
		open.ServeHTTP(w, r)
	}))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/worker"
	if _, err := (Registry{}).Push(t.Context(), repository, image(t), "worker-x"); err != nil {
		t.Error(err)
	}
}

// TestBillThatIsRefused: some registries take no artifact that refers to an image. The image and its tag are there, and
// the stack gets it, with a reason that says what is missing; the pipeline's push is told.
func TestBillThatIsRefused(t *testing.T) {
	b := setup(t)
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") &&
			strings.Contains(string(body), `"subject"`) {
			http.Error(w, `{"errors":[{"code":"UNSUPPORTED","message":"no artifacts"}]}`, http.StatusMethodNotAllowed)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		open.ServeHTTP(w, r)
	}))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/worker"
	built := image(t)
	reference, err := Registry{}.Push(t.Context(), repository, built, "worker-x")
	if refused := (*BillRefused)(nil); !errors.As(err, &refused) || reference != repository+"@"+digestOf(t, built) {
		t.Errorf("push answers %q and %v, want the image and that its bill was refused", reference, err)
	}
	tag, err := name.NewTag(repository + ":worker-x")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := remote.Head(tag); err != nil || found.Digest.String() != digestOf(t, built) {
		t.Errorf("the tag names %v (%v)", found, err)
	}

	_, data, err := b.resource.Handle(t.Context(),
		b.event(cfn.RequestCreate, nil, map[string]any{"RepositoryUri": repository}))
	if err != nil {
		t.Fatalf("the stack gets no image: %v", err)
	}
	if reason := data["Reason"].(string); !strings.Contains(reason, "without its bill of materials: ") {
		t.Errorf("the reason is %q, want it to say that the bill is missing", reason)
	}
}

func TestPushRefusesToMoveATag(t *testing.T) {
	server, built := startRegistry(t), image(t)
	other, err := Build(worker(t), map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Registry{}).Push(t.Context(), server.repository, built, "v1"); err != nil {
		t.Fatal(err)
	}
	_, err = Registry{}.Push(t.Context(), server.repository, other, "v1")
	if err == nil || !strings.Contains(err.Error(), "tag v1: it names "+digestOf(t, built)) {
		t.Errorf("error is %v, want one that names the tag and its image", err)
	}
}

// cut lets so many requests pass and breaks every later one.
type cut struct{ left atomic.Int32 }

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) < 0 {
		return nil, errors.New("the connection broke")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestInterruptedPushGoesOn breaks a push at each of its requests and pushes again.
func TestInterruptedPushGoesOn(t *testing.T) {
	built := image(t)
	whole := startRegistry(t)
	if _, err := (Registry{}).Push(t.Context(), whole.repository, built, "worker-x"); err != nil {
		t.Fatal(err)
	}
	for passes := range whole.requests.Load() {
		server, breaking := startRegistry(t), &cut{}
		breaking.left.Store(passes)
		if _, err := (Registry{Transport: breaking}).Push(t.Context(), server.repository, built,
			"worker-x"); err == nil {
			t.Errorf("a push that was cut after %d requests succeeded", passes)
		}
		if _, err := (Registry{}).Push(t.Context(), server.repository, built, "worker-x"); err != nil {
			t.Errorf("the push after one that was cut after %d requests: %v", passes, err)
		}
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		<-r.Context().Done()
	}))
	defer hanging.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := Registry{}.Push(ctx, strings.TrimPrefix(hanging.URL, "http://")+"/worker", image(t))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 5*time.Second {
		t.Errorf("after %v: %v; want the deadline's error soon after it", time.Since(started), err)
	}
}

// tokens is ECR as far as logging in goes.
type tokens struct {
	endpoint, token string
	err             error
}

func (c tokens) GetAuthorizationToken(context.Context, *ecr.GetAuthorizationTokenInput, ...func(*ecr.Options)) (
	*ecr.GetAuthorizationTokenOutput, error,
) {
	if c.endpoint == "" {
		return &ecr.GetAuthorizationTokenOutput{}, c.err
	}
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []types.AuthorizationData{{
		AuthorizationToken: &c.token, ProxyEndpoint: &c.endpoint,
	}}}, c.err
}

// TestECRLogin pushes to a registry that wants ECR's user and token, at the endpoint that came with the token.
func TestECRLogin(t *testing.T) {
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AWS" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	defer server.Close()
	const repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/stack/worker"
	login := ECRLogin(tokens{endpoint: server.URL, token: base64.StdEncoding.EncodeToString([]byte("AWS:secret"))})
	reference, err := Registry{Login: login}.Push(t.Context(), repository, image(t), "worker-x")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(reference, repository+"@sha256:") {
		t.Errorf("reference is %s, want the repository's own name whatever the endpoint", reference)
	}

	for name, broken := range map[string]tokens{
		"refused":     {err: errors.New("AccessDenied")},
		"no token":    {},
		"no endpoint": {endpoint: "::", token: "QVdTOngK"},
		"bad token":   {endpoint: server.URL, token: "%"},
		"no password": {endpoint: server.URL, token: base64.StdEncoding.EncodeToString([]byte("AWS"))},
	} {
		if _, err := ECRLogin(broken)(t.Context(), repository); err == nil || !strings.HasPrefix(err.Error(),
			"log in to ECR: ") {
			t.Errorf("%s: error is %v, want one that says that the login failed", name, err)
		}
	}
}

// TestWorkerOfAPulledImageWorks is the way of an image from the source to a message that was processed: compiled,
// built, pushed, pulled by digest, unpacked, started.
func TestWorkerOfAPulledImageWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the worker")
	}
	binary := filepath.Join(t.TempDir(), "worker")
	err := Compile(t.Context(), Compilation{Dir: "../..", Package: "./worker", Arch: "amd64", Output: binary})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	built, err := Build(content, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := startRegistry(t)
	reference, err := Registry{}.Push(t.Context(), server.repository, built)
	if err != nil {
		t.Fatal(err)
	}
	repository, digest, _ := strings.Cut(reference, "@")
	root := t.TempDir()
	config, err := Registry{}.Unpack(t.Context(), repository, digest, root)
	if err != nil {
		t.Fatal(err)
	}

	queue := sqstest.Serve("jobs")
	defer queue.Close()
	queue.SQS.Send(queue.Queue("jobs"), sqstest.Message{Body: `{"id":"a","duration":0.01}`})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	run := func(arguments ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(root, config.Entrypoint[0]), arguments...)
		cmd.Env = []string{
			"QUEUE_URL=" + queue.Queue("jobs"), "AWS_ENDPOINT_URL=" + queue.URL, "AWS_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "HEALTH_SOCKET=" + filepath.Join(root, "health"),
		}
		return cmd
	}
	var log bytes.Buffer
	working := run()
	working.Stdout, working.Stderr = &log, &log
	if err := working.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, _, deleted := queue.SQS.Count(queue.Queue("jobs")); deleted == 1 {
			break
		}
		if time.Now().After(deadline) {
			stop()
			_ = working.Wait()
			t.Fatalf("the message was not processed:\n%s", log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out, err := run(config.Healthcheck.Test[2:]...).CombinedOutput(); err != nil {
		t.Errorf("the image's health check says: %v\n%s", err, out)
	}
	stop()
	_ = working.Wait() // killed
}

func TestIsECR(t *testing.T) {
	for repository, want := range map[string]bool{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/a/b": true,
		"123456789012.dkr-ecr.eu-central-1.on.aws/a":          true,
		"127.0.0.1:5000/a":    false,
		"ghcr.io/dkr.ecr.x/a": false,
	} {
		if got := IsECR(repository); got != want {
			t.Errorf("IsECR(%q) is %v, want %v", repository, got, want)
		}
	}
}
