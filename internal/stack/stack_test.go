package stack

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

type fakeCloudFormation struct {
	stacks []types.Stack
	err    error
	asked  []string
}

func (f *fakeCloudFormation) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput,
	_ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	f.asked = append(f.asked, aws.ToString(in.StackName))
	return &cloudformation.DescribeStacksOutput{Stacks: f.stacks}, f.err
}

func TestDescribe(t *testing.T) {
	client := &fakeCloudFormation{stacks: []types.Stack{{
		StackStatus: types.StackStatusCreateComplete,
		Outputs:     []types.Output{{OutputKey: aws.String("QueueUrl"), OutputValue: aws.String("http://queue")}},
	}}}
	outputs, err := Describe(t.Context(), client, "one")
	if err != nil {
		t.Fatal(err)
	}
	if len(client.asked) != 1 || client.asked[0] != "one" {
		t.Errorf("asked for %q, want one", client.asked)
	}
	if got, err := outputs.Get("QueueUrl"); err != nil || got != "http://queue" {
		t.Errorf("QueueUrl is %q, %v", got, err)
	}
	if _, err := outputs.Get("Missing"); err == nil || !strings.Contains(err.Error(), "no output Missing") {
		t.Errorf("got error %v, want one that names the missing output", err)
	}
}

func TestDescribeExplains(t *testing.T) {
	tests := []struct {
		name   string
		client *fakeCloudFormation
		want   string
	}{
		{"no stack", &fakeCloudFormation{err: &smithy.GenericAPIError{
			Code: "ValidationError", Message: "Stack with id one does not exist",
		}}, "does not exist in this account and region"},
		{"no permission", &fakeCloudFormation{err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "no"}},
			"AccessDenied"},
		{"no outputs", &fakeCloudFormation{stacks: []types.Stack{{StackStatus: types.StackStatusRollbackComplete}}},
			"ROLLBACK_COMPLETE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Describe(t.Context(), test.client, "one")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}
