package localcloud

import (
	"bytes"
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

// serveCloudFormation passes requests on, and makes two of them fit for `sam`, which is patient with AWS:
//
//   - DeleteStack is answered when the stack is gone. `sam delete` looks once at once and then every 30 s, which would
//     be the longest part of a local deletion of two seconds.
//   - ExecuteChangeSet that is repeated while the change set is being executed succeeds, as on AWS: a client repeats a
//     call whose answer it did not get in time, as happens on a busy machine.
func (c *Cloud) serveCloudFormation() http.Handler {
	stacks := cloudformation.NewFromConfig(c.AWSConfig())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r, maxTemplate)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		form := formOf(r, body)
		switch form.Get("Action") {
		case "DeleteStack":
			answer := record(c.proxy.forward, r)
			if answer.status == http.StatusOK {
				awaitDeletion(r.Context(), stacks, form.Get("StackName"))
			}
			answer.send(w)
		case "ExecuteChangeSet":
			answer := record(c.proxy.forward, r)
			if answer.status == http.StatusBadRequest && bytes.Contains(answer.body.Bytes(), []byte(executing)) {
				answer = executed()
			}
			answer.send(w)
		default:
			c.proxy.forward.ServeHTTP(w, r)
		}
	})
}

// executing is in the emulator's refusal of a change set that it executes already.
const executing = "EXECUTE_IN_PROGRESS"

// executed is the answer to a change set that is executed.
func executed() *recorded {
	answer := &recorded{status: http.StatusOK, header: http.Header{"Content-Type": {"text/xml"}}}
	answer.body.WriteString(`<ExecuteChangeSetResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">` +
		`<ExecuteChangeSetResult/></ExecuteChangeSetResponse>`)
	return answer
}

// formOf reads a request in the query protocol; others have an empty form.
func formOf(r *http.Request, body []byte) url.Values {
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), formType) {
		return nil
	}
	return form
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
