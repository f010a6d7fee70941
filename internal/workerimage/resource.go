package workerimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"
)

// Resource answers CloudFormation's requests for the image of a stack's service.
//
// The property RepositoryUri names the repository; every other property is there to make CloudFormation ask. The
// attributes are ImageUri (by digest), ImageDigest, Source and Reason.
//
// A request may be repeated and may be interrupted anywhere: the record is written before the image is pushed, a
// request that was recorded is answered the same way again, and a push goes on where it stopped. Deletion leaves the
// images to the repository, which takes them with it.
type Resource struct {
	Stack    Stack
	Records  Records
	Registry Registry
	// Worker reads the worker's binary.
	Worker func() ([]byte, error)
	// Name of the stack.
	Name string
}

// Handle answers one request.
func (r Resource) Handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	// Always the same id: with another one CloudFormation would send a deletion for the old one.
	id := r.Name + "-worker-image"
	var answer Record
	var err error
	switch event.RequestType {
	case cfn.RequestDelete:
		err = r.Records.remove(ctx)
	case cfn.RequestCreate, cfn.RequestUpdate:
		answer, err = r.provide(ctx, event)
	default:
		err = fmt.Errorf("unknown request type %q", event.RequestType)
	}
	if err != nil {
		return id, nil, brief(err)
	}
	_, digest, _ := strings.Cut(answer.Image, "@")
	return id, map[string]any{
		"ImageUri": answer.Image, "ImageDigest": digest, "Source": string(answer.Source), "Reason": answer.Reason,
	}, nil
}

func (r Resource) provide(ctx context.Context, event cfn.Event) (Record, error) {
	repository, _ := event.ResourceProperties["RepositoryUri"].(string)
	if repository == "" {
		return Record{}, fmt.Errorf("the property RepositoryUri is missing; it is the repository that gets the image")
	}
	image, err := r.build()
	if err != nil {
		return Record{}, err
	}
	situation, err := r.situation(ctx, event, repository, image)
	if err != nil {
		return Record{}, err
	}
	answer := Decide(situation)
	if err := r.Records.write(ctx, answer); err != nil {
		return Record{}, err
	}
	if answer.Image == situation.Image {
		err := r.push(ctx, repository, image)
		if refused := (*BillRefused)(nil); errors.As(err, &refused) {
			// A stack without a bill is better than none; the reason is an output of the stack.
			answer.Reason += "; without its " + brief(refused).Error()
		} else if err != nil {
			return Record{}, err
		}
	}
	return answer, nil
}

func (r Resource) build() (Image, error) {
	worker, err := r.Worker()
	if err != nil {
		return Image{}, fmt.Errorf("read the worker's binary from the function's package: %w", err)
	}
	return Build(worker, nil)
}

func (r Resource) push(ctx context.Context, repository string, image Image) error {
	tag, err := Tag(image)
	if err != nil {
		return err
	}
	_, err = r.Registry.Push(ctx, repository, image, tag)
	return err
}

func (r Resource) situation(ctx context.Context, event cfn.Event, repository string, image Image) (Situation, error) {
	digest, err := image.Digest()
	if err != nil {
		return Situation{}, err
	}
	s := Situation{
		Request: Request{
			ID: event.RequestID, Create: event.RequestType == cfn.RequestCreate,
			Properties: properties(event.ResourceProperties), OldProperties: properties(event.OldResourceProperties),
		},
		Worker: image.Worker, Image: repository + "@" + digest.String(),
	}
	if s.Record, err = r.Records.read(ctx); err != nil {
		return Situation{}, err
	}
	if s.Request.Create {
		return s, nil
	}
	if s.Request.Rollback, err = r.Stack.rollingBack(ctx, event.StackID); err != nil {
		return Situation{}, err
	}
	err = r.observe(ctx, event.StackID, repository, &s)
	if err != nil && s.Request.Rollback && s.Record != nil {
		// A rollback that fails leaves the stack where only a person gets it out. The last answer is the best guess.
		s.Running, err = s.Record.Image, nil
	}
	return s, err
}

// observe fills in what the service runs.
func (r Resource) observe(ctx context.Context, stack, repository string, s *Situation) error {
	running, err := r.Stack.running(ctx, stack)
	if err != nil || running == nil {
		return err
	}
	s.TaskDefinition = running.taskDefinition
	s.Running, err = r.own(ctx, repository, running.image)
	return err
}

// own returns the image by digest if it is one of the repository and still there, else nothing.
func (r Resource) own(ctx context.Context, repository, image string) (string, error) {
	digest, found := strings.CutPrefix(image, repository+"@")
	if !found {
		return "", nil
	}
	there, err := r.Registry.Exists(ctx, repository, digest)
	if err != nil || !there {
		return "", err
	}
	return image, nil
}

// properties is a fingerprint of what a resource is asked to be.
func properties(p map[string]any) string {
	document, err := json.Marshal(p) // keys in order
	if err != nil || p == nil {
		return ""
	}
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:8])
}

// longestReason that CloudFormation gets: an answer may have 4096 bytes in all.
const longestReason = 1000

func brief(err error) error {
	if text := err.Error(); len(text) > longestReason {
		return fmt.Errorf("%s… (the function's log has the rest)", strings.ToValidUTF8(text[:longestReason], ""))
	}
	return err
}
