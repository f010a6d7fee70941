package awshttp

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// lateReader answers like a fast server while net/http has yet to look for the end of the request's body: it does so
// after the SDK has closed it.
type lateReader struct {
	t    *testing.T
	body io.ReadCloser
}

func (l *lateReader) Do(r *http.Request) (*http.Response, error) {
	l.body = r.Body
	if _, err := io.CopyN(io.Discard, r.Body, r.ContentLength); err != nil {
		l.t.Errorf("read the body: %v", err)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader([]byte(`{}`))),
	}, nil
}

// TestEndOfAClosedBodyIsNoError fails when the SDK's body is handed to net/http as it is; should it pass without the
// wrapper one day, this package can go.
func TestEndOfAClosedBodyIsNoError(t *testing.T) {
	for _, test := range []struct {
		name    string
		wrapped bool
	}{{"through this package", true}, {"as it is", false}} {
		t.Run(test.name, func(t *testing.T) {
			late := &lateReader{t: t}
			var client aws.HTTPClient = late
			if test.wrapped {
				client = &Client{late}
			}
			queue := sqs.New(sqs.Options{Region: "eu-west-1", HTTPClient: client, Credentials: aws.AnonymousCredentials{}})
			_, err := queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String("http://queue/q")})
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, late.body)
			if faulty := n != 0 || err != nil; faulty == test.wrapped {
				t.Errorf("looking for the end of the closed body gives %d bytes and error %v", n, err)
			}
		})
	}
}
