// Command scripted is a Lambda function that asks its test what to answer, at the address SCRIPT.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

func main() {
	lambda.Start(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("SCRIPT"), bytes.NewReader(event))
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		var answer struct {
			Output json.RawMessage
			Error  *messages.InvokeResponse_Error
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return nil, err
		}
		if answer.Error != nil {
			return nil, *answer.Error
		}
		return answer.Output, nil
	})
}
