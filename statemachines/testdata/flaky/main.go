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
	"spec": {}, "ranges": [{"first": 0, "count": 1}], "summary": "flaky",
	"answer": "go", "request": {}, "history": null,
	"measurement": {"basis": "samples", "dryRun": false, "reason": "test", "watchMinutes": 1, "current": {},
		"bounds": null},
	"worthChanging": true, "outcome": "change", "by": "formula", "watched": true, "targets": {}, "bounds": null,
	"referenceSeconds": 1,
	"moved": false, "before": {"bounds": null}, "after": {"bounds": null}, "again": true, "worse": true, "notice": "flaky"
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
