package monitoring

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// maxTags is how many tags a resource can have.
const maxTags = 50

func (s *Server) tagResource(
	ctx context.Context,
	in *cloudwatch.TagResourceInput,
) (*cloudwatch.TagResourceOutput, error) {
	arn := aws.ToString(in.ResourceARN)
	if err := s.authorize(ctx, "TagResource", arn, nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.known(arn); err != nil {
		return nil, err
	}
	merged := maps.Clone(s.tags[arn])
	if merged == nil {
		merged = map[string]string{}
	}
	for _, t := range in.Tags {
		merged[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if len(merged) > maxTags {
		return nil, invalidValue("A resource can have at most %d tags.", maxTags)
	}
	s.tags[arn] = merged
	return &cloudwatch.TagResourceOutput{}, nil
}

func (s *Server) untagResource(
	ctx context.Context,
	in *cloudwatch.UntagResourceInput,
) (*cloudwatch.UntagResourceOutput, error) {
	arn := aws.ToString(in.ResourceARN)
	if err := s.authorize(ctx, "UntagResource", arn, nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.known(arn); err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(s.tags[arn], key)
	}
	return &cloudwatch.UntagResourceOutput{}, nil
}

func (s *Server) listTagsForResource(
	ctx context.Context,
	in *cloudwatch.ListTagsForResourceInput,
) (*cloudwatch.ListTagsForResourceOutput, error) {
	arn := aws.ToString(in.ResourceARN)
	if err := s.authorize(ctx, "ListTagsForResource", arn, nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.known(arn); err != nil {
		return nil, err
	}
	out := &cloudwatch.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(s.tags[arn])) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(s.tags[arn][key])})
	}
	return out, nil
}

// tagLocked gives a new resource its tags. Needs s.mu.
func (s *Server) tagLocked(arn string, tags []types.Tag) {
	if len(tags) == 0 {
		return
	}
	s.tags[arn] = map[string]string{}
	for _, t := range tags {
		s.tags[arn][aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
}

// known checks that an ARN is that of an alarm here. Needs s.mu.
func (s *Server) known(arn string) error {
	name, isAlarm := strings.CutPrefix(arn, s.alarmARN(""))
	if isAlarm && s.alarms[name] != nil {
		return nil
	}
	return &wire.Fault{Code: "ResourceNotFoundException", Status: 404, Message: "Unknown resource: " + arn,
		Members: map[string]string{"ResourceType": "alarm", "ResourceId": arn}}
}
