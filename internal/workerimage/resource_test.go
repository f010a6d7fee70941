package workerimage

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// bench is a resource with everything around it.
type bench struct {
	*world
	registry *registryServer
	resource Resource
	worker   []byte // in the function's package
	request  int
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{world: newWorld(), registry: startRegistry(t), worker: worker(t)}
	b.resource = Resource{
		Name: "stack", Stack: b.stack(), Records: b.records(),
		Worker: func() ([]byte, error) { return b.worker, nil },
	}
	return b
}

// changeWorker makes the function's package hold another version of the worker. A program ends where its header says;
// what follows makes another file of it.
func (b *bench) changeWorker() { b.worker = append(b.worker[:len(b.worker):len(b.worker)], '!') }

func (b *bench) event(kind cfn.RequestType, old, now map[string]any) cfn.Event {
	b.request++
	event := cfn.Event{
		RequestType: kind, RequestID: strings.Repeat("r", b.request), StackID: "arn:stack", LogicalResourceID: "Image",
		ResourceProperties: now, OldResourceProperties: old,
	}
	if kind != cfn.RequestCreate {
		event.PhysicalResourceID = "stack-worker-image"
	}
	return event
}

func (b *bench) properties(memory string) map[string]any {
	return map[string]any{"RepositoryUri": b.registry.repository, "TaskMemory": memory}
}

// answer handles the event and returns the image that was answered, which has to be in the repository.
func (b *bench) answer(t *testing.T, event cfn.Event) (image string, source Source) {
	t.Helper()
	id, data, err := b.resource.Handle(t.Context(), event)
	if err != nil {
		t.Fatalf("%s: %v", event.RequestType, err)
	}
	if id != "stack-worker-image" {
		t.Errorf("physical id is %q; one that changes has CloudFormation delete the old one", id)
	}
	image = data["ImageUri"].(string)
	digest := data["ImageDigest"].(string)
	if image != b.registry.repository+"@"+digest {
		t.Errorf("image %s has digest %s", image, digest)
	}
	if there, err := (Registry{}).Exists(t.Context(), b.registry.repository, digest); err != nil || !there {
		t.Errorf("the answered image %s is not in the repository (%v)", image, err)
	}
	return image, Source(data["Source"].(string))
}

// pipeline deploys another image into the repository and onto the service.
func (b *bench) pipeline(t *testing.T) string {
	t.Helper()
	built, err := Build(worker(t), map[string]string{"by": "pipeline"})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := Registry{}.Push(t.Context(), b.registry.repository, built)
	if err != nil {
		t.Fatal(err)
	}
	b.deploy("td:pipeline", reference)
	return reference
}

// TestDefect16_FirstImageExists: the original's first deployment names an image that nobody has pushed.
func TestDefect16_FirstImageExists(t *testing.T) {
	b := setup(t)
	event := b.event(cfn.RequestCreate, nil, b.properties("512"))
	first, source := b.answer(t, event)
	if source != Built {
		t.Errorf("source is %s, want built", source)
	}
	if again, _ := b.answer(t, event); again != first {
		t.Errorf("the same request again answered %s, before %s", again, first)
	}
}

func TestUpdateKeepsThePipelinesImage(t *testing.T) {
	b := setup(t)
	first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	b.deploy("td:1", first)
	pipelines := b.pipeline(t)

	got, source := b.answer(t, b.event(cfn.RequestUpdate, b.properties("512"), b.properties("1024")))
	if got != pipelines || source != Running {
		t.Errorf("another task size answered %s (%s), want the pipeline's %s", got, source, pipelines)
	}

	b.changeWorker()
	changed, source := b.answer(t, b.event(cfn.RequestUpdate, b.properties("1024"), b.properties("1024")))
	if changed == pipelines || changed == first || source != Built {
		t.Errorf("another worker answered %s (%s), want its own image", changed, source)
	}
	b.deploy("td:3", changed)

	if got, source := b.answer(t, b.event(cfn.RequestUpdate, b.properties("1024"),
		b.properties("2048"))); got != changed ||
		source != Running {
		t.Errorf("a further update answered %s (%s), want what runs: %s", got, source, changed)
	}
}

// TestUpdateDuringARollout asks while the pipeline rolls out: what is known to work stays.
func TestUpdateDuringARollout(t *testing.T) {
	b := setup(t)
	first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	b.deploy("td:1", first)
	b.rolling, b.images["td:2"] = "td:2", b.registry.repository+"@sha256:"+strings.Repeat("0", 64)
	if got, _ := b.answer(t, b.event(cfn.RequestUpdate, b.properties("512"), b.properties("1024"))); got != first {
		t.Errorf("answered %s, want the image of the completed deployment %s", got, first)
	}
}

func TestRollbackOfTheStackRestoresThePipelinesImage(t *testing.T) {
	b := setup(t)
	first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	b.deploy("td:1", first)
	pipelines := b.pipeline(t)
	old, failed := b.properties("512"), b.properties("1024")

	b.changeWorker()
	bad, _ := b.answer(t, b.event(cfn.RequestUpdate, old, failed))
	b.deploy("td:3", bad)
	b.status = cfntypes.StackStatusUpdateRollbackInProgress
	got, source := b.answer(t, b.event(cfn.RequestUpdate, failed, old))
	if got != pipelines || source != Restored {
		t.Errorf("the rollback answered %s (%s), want the pipeline's %s", got, source, pipelines)
	}

	// CloudFormation does not write a task definition now: it goes back to its own old one, with the first image.
	b.deploy("td:1", first)
	restorer := Restorer{Stack: b.stack(), Records: b.records(), ECS: b.world, Name: "stack"}
	for range 2 {
		if _, err := restorer.Restore(t.Context(), struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.updates) != 1 || *b.updates[0].TaskDefinition != "td:pipeline" {
		t.Errorf("the service was updated %d times to %+v, want once to td:pipeline", len(b.updates), b.updates)
	}

	// The worker of the failed update is not the deployed one: the same `sam deploy` again is a change again.
	b.status = cfntypes.StackStatusUpdateInProgress
	if got, source := b.answer(t, b.event(cfn.RequestUpdate, old, failed)); got != bad || source != Built {
		t.Errorf("the next attempt answered %s (%s), want its own image %s", got, source, bad)
	}
}

// TestRollbackOfTheStackDoesNotFail: the service cannot be looked at, which must not keep the stack from going back.
func TestRollbackOfTheStackDoesNotFail(t *testing.T) {
	b := setup(t)
	first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	b.deploy("td:1", first)
	b.status, b.fail["DescribeServices"] = cfntypes.StackStatusUpdateRollbackInProgress, errors.New("AccessDenied")
	got, _ := b.answer(t, b.event(cfn.RequestUpdate, b.properties("1024"), b.properties("512")))
	if got != first {
		t.Errorf("the rollback answered %s, want the last answer %s", got, first)
	}
}

func TestRestoreLeavesTheServiceAlone(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, b *bench){
		"no record": func(*testing.T, *bench) {},
		"an update succeeded": func(t *testing.T, b *bench) {
			b.answer(t, b.event(cfn.RequestCreate, nil,
				b.properties("1")))
		},
		"the image is right": func(t *testing.T, b *bench) {
			first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("1")))
			b.deploy("td:1", first)
			b.answer(t, b.event(cfn.RequestUpdate, b.properties("1"), b.properties("2")))
			b.status = cfntypes.StackStatusUpdateRollbackInProgress
			b.answer(t, b.event(cfn.RequestUpdate, b.properties("2"), b.properties("1")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			prepare(t, b)
			done, err := Restorer{Stack: b.stack(), Records: b.records(), ECS: b.world, Name: "stack"}.
				Restore(t.Context(), struct{}{})
			if err != nil || done.Action != "none" || done.Reason == "" || len(b.updates) != 0 {
				t.Errorf("did %+v (%v) with %d updates, want nothing, and why", done, err, len(b.updates))
			}
		})
	}
}

// TestInterruptedRequestIsAnsweredTheSameWay breaks the push of an update; Lambda calls again with the same event.
func TestInterruptedRequestIsAnsweredTheSameWay(t *testing.T) {
	b := setup(t)
	first, _ := b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	b.deploy("td:1", first)
	b.changeWorker()
	event := b.event(cfn.RequestUpdate, b.properties("512"), b.properties("512"))

	breaking := &cut{}
	breaking.left.Store(4)
	b.resource.Registry.Transport = breaking
	if _, _, err := b.resource.Handle(t.Context(), event); err == nil {
		t.Fatal("a push that broke was answered with success")
	}
	b.resource.Registry.Transport = nil
	if got, source := b.answer(t, event); got == first || source != Built {
		t.Errorf("the request again answered %s (%s), want the new worker's image", got, source)
	}
}

func TestDeleteEndsWellTwice(t *testing.T) {
	b := setup(t)
	b.answer(t, b.event(cfn.RequestCreate, nil, b.properties("512")))
	for range 2 {
		if _, _, err := b.resource.Handle(t.Context(), b.event(cfn.RequestDelete, nil,
			b.properties("512"))); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.parameters) != 0 {
		t.Errorf("left behind: %v", b.parameters)
	}
}

// TestCloudFormationIsAlwaysAnswered sends requests that cannot succeed; each gets an answer with a reason.
func TestCloudFormationIsAlwaysAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(b *bench, event *cfn.Event)
		want  string
	}{
		"no repository": {
			func(_ *bench, e *cfn.Event) { delete(e.ResourceProperties, "RepositoryUri") }, "RepositoryUri is missing",
		},
		"a repository that is none": {
			func(_ *bench, e *cfn.Event) { e.ResourceProperties["RepositoryUri"] = "worker" }, "want <host>/<path>",
		},
		"no worker in the package": {
			func(b *bench, _ *cfn.Event) {
				b.resource.Worker = func() ([]byte, error) { return nil, errors.New("open worker: no such file") }
			}, "read the worker's binary from the function's package",
		},
		"a worker that needs libc": {
			func(b *bench, _ *cfn.Event) { b.worker = []byte("#!/bin/sh") }, "go run ./scripts/image",
		},
		"no permission for the record": {
			func(b *bench, _ *cfn.Event) { b.fail["GetParameter"] = errors.New("AccessDenied") },
			"read parameter /stack/worker-image: AccessDenied",
		},
		"the record cannot be written": {
			func(b *bench, _ *cfn.Event) { b.fail["PutParameter"] = errors.New("AccessDenied") },
			"write parameter /stack/worker-image: AccessDenied",
		},
		"the registry cannot be reached": {
			func(b *bench, _ *cfn.Event) { b.resource.Registry.Transport = &cut{} }, "push to ",
		},
		"a long error": {
			func(b *bench, _ *cfn.Event) { b.fail["PutParameter"] = errors.New(strings.Repeat("ü", 5000)) },
			"the function's log has the rest",
		},
		"an unknown kind": {
			func(_ *bench, e *cfn.Event) { e.RequestType = "Import" }, `unknown request type "Import"`,
		},
		"a panic": {
			func(b *bench, _ *cfn.Event) { b.resource.Worker = nil }, "panicked",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			event := b.event(cfn.RequestCreate, nil, b.properties("512"))
			test.spoil(b, &event)
			answer := answered(t, b.resource.Handle, event)
			if answer.Status != cfn.StatusFailed || !strings.Contains(answer.Reason, test.want) {
				t.Errorf("answered %s: %q; want FAILED with %q", answer.Status, answer.Reason, test.want)
			}
			if document, _ := json.Marshal(answer); len(document) > 4096 {
				t.Errorf("the answer has %d bytes; CloudFormation takes 4096", len(document))
			}
		})
	}
}

// answered returns what CloudFormation gets.
func answered(t *testing.T, handle cfn.CustomResourceFunction, event cfn.Event) cfn.Response {
	t.Helper()
	var answer cfn.Response
	var answers int
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &answer) != nil {
			t.Errorf("the answer %q (%v) is not JSON", body, err)
		}
		answers++
	}))
	defer server.Close()
	event.ResponseURL = server.URL
	func() {
		defer func() { _ = recover() }() // Lambda's runtime takes the panic; the answer is what counts
		_, _ = cfn.LambdaWrap(handle)(context.Background(), event)
	}()
	if answers != 1 {
		t.Fatalf("CloudFormation got %d answers, want 1", answers)
	}
	return answer
}
