package awshttp

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
			queue := sqs.New(sqs.Options{
				Region: "eu-west-1", HTTPClient: client, Credentials: aws.AnonymousCredentials{},
			})
			_, err := queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: aws.String("http://queue/q"),
			})
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

func TestOverNothingIsTheDefault(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("echo"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := Over(aws.Config{}.HTTPClient).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "echo" {
		t.Errorf("got %q, %v", body, err)
	}
}
