package localcloud

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// maxHold is how long the answer to DeleteStack may be held back; clients give up after 60 s.
const maxHold = 20 * time.Second

// holdDeletions answers DeleteStack when the stack is gone. `sam delete` looks once at once and then every 30 s, which
// would be the longest part of a local deletion of two seconds.
func (c *Cloud) holdDeletions() {
	stacks := cloudformation.NewFromConfig(c.AWSConfig())
	c.proxy.serve("cloudformation", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r, maxTemplate)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		stack := deletedStack(r, body)
		if stack == "" {
			c.proxy.forward.ServeHTTP(w, r)
			return
		}
		answer := record(c.proxy.forward, r)
		if answer.status == http.StatusOK {
			awaitDeletion(r.Context(), stacks, stack)
		}
		answer.send(w)
	}))
}

// deletedStack is the name or ARN of the stack that a request wants to delete, "" for other requests.
func deletedStack(r *http.Request, body []byte) string {
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), formType) || form.Get("Action") != "DeleteStack" {
		return ""
	}
	return form.Get("StackName")
}

const (
	formType    = "application/x-www-form-urlencoded"
	maxTemplate = 8 << 20 // CloudFormation takes 51,200 bytes in a request; form encoding multiplies it
)

// awaitDeletion waits until a stack is gone or its deletion has failed.
func awaitDeletion(ctx context.Context, api *cloudformation.Client, stack string) {
	ctx, cancel := context.WithTimeout(ctx, maxHold)
	defer cancel()
	for {
		out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		if err != nil || len(out.Stacks) == 0 || out.Stacks[0].StackStatus != types.StackStatusDeleteInProgress {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
