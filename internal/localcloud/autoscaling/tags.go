package autoscaling

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// maxTags is how many tags a scalable target can have.
const maxTags = 50

var (
	targetARNForm    = regexp.MustCompile(`^arn:.+:application-autoscaling:.+:[0-9]+:scalable-target/[a-zA-Z0-9-]+$`)
	targetARNWritten = `^arn:.+:application-autoscaling:.+:[0-9]+:scalable-target\/[a-zA-Z0-9-]+$`
)

func checkTags(v *wire.Violations, tags map[string]string) {
	for name, value := range tags {
		v.Length("tags.key", &name, 1, 128)
		v.Length("tags."+name+".value", &value, 0, 256)
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			v.Add("tags.key", name, "Member must not begin with aws:")
		}
	}
}

// tagged finds a target by ARN. It needs the server's mutex.
func (s *Server) tagged(arn string) (*target, error) {
	for _, t := range s.targets {
		if t.arn == arn {
			return t, nil
		}
	}
	return nil, &wire.Fault{Code: "ResourceNotFoundException", Members: map[string]string{"ResourceName": arn},
		Message: fmt.Sprintf("The specified resource doesn't exist: %s", arn)}
}

func checkARN(v *wire.Violations, arn *string) {
	if wire.Required(v, "resourceARN", arn) {
		v.Length("resourceARN", arn, 1, 1011)
		v.Pattern("resourceARN", arn, targetARNForm, targetARNWritten)
	}
}

func (s *Server) tagResource(ctx context.Context, in *aas.TagResourceInput) (*aas.TagResourceOutput, error) {
	var v wire.Violations
	checkARN(&v, in.ResourceARN)
	if in.Tags == nil {
		v.Missing("tags")
	}
	checkTags(&v, in.Tags)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "TagResource", *in.ResourceARN, key{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(*in.ResourceARN)
	if err != nil {
		return nil, err
	}
	merged := map[string]string{}
	maps.Copy(merged, t.tags)
	maps.Copy(merged, in.Tags)
	if len(merged) > maxTags {
		return nil, &wire.Fault{Code: "TooManyTagsException", Members: map[string]string{"ResourceName": t.arn},
			Message: fmt.Sprintf("The number of tags exceeds the limit of %d for the resource %s.", maxTags, t.arn)}
	}
	t.tags = merged
	return &aas.TagResourceOutput{}, nil
}

func (s *Server) untagResource(ctx context.Context, in *aas.UntagResourceInput) (*aas.UntagResourceOutput, error) {
	var v wire.Violations
	checkARN(&v, in.ResourceARN)
	if in.TagKeys == nil {
		v.Missing("tagKeys")
	}
	v.Size("tagKeys", len(in.TagKeys), 0, 200)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "UntagResource", *in.ResourceARN, key{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(*in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, name := range in.TagKeys {
		delete(t.tags, name)
	}
	return &aas.UntagResourceOutput{}, nil
}

func (s *Server) listTagsForResource(
	ctx context.Context,
	in *aas.ListTagsForResourceInput,
) (*aas.ListTagsForResourceOutput, error) {
	var v wire.Violations
	checkARN(&v, in.ResourceARN)
	if err := violated(&v); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "ListTagsForResource", aws.ToString(in.ResourceARN), key{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(*in.ResourceARN)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, t.tags)
	return &aas.ListTagsForResourceOutput{Tags: tags}, nil
}
