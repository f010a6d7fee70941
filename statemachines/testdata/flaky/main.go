// Command flaky is a Lambda function that answers each different request with the errors that FAIL_WITH names, one
// after the other, and then with a document that satisfies every state of every machine.
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

const answer = `{
	"spec": {}, "ranges": [{"first": 0, "count": 1}], "samples": 2, "minimumSamples": 1, "dryRun": false,
	"reason": "test", "worthChanging": true, "outcome": "change", "summary": "flaky", "targets": {}
}`

func main() {
	failWith := strings.Split(os.Getenv("FAIL_WITH"), ",")
	var mu sync.Mutex
	seen := map[string]int{}
	lambda.Start(func(_ context.Context, request json.RawMessage) (json.RawMessage, error) {
		mu.Lock()
		defer mu.Unlock()
		n := seen[string(request)]
		seen[string(request)]++
		if n < len(failWith) {
			return nil, messages.InvokeResponse_Error{Type: failWith[n], Message: "injected"}
		}
		return json.RawMessage(answer), nil
	})
}
