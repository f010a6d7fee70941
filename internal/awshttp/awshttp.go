// Package awshttp is the HTTP client under the SDK's clients.
//
// It exists for one fault. The SDK (smithy-go, seen up to 1.28.9) closes the body of a request as soon as the response
// has begun; net/http may still be about to look whether that body is at its end. The SDK's closed body answers that
// look with an error when it is asked through io.WriterTo, net/http takes it for a failed request and closes the
// connection, and the response is lost: "use of closed network connection", about once in a thousand calls on a busy
// machine near a fast server. For ReceiveMessage this means messages that nobody works on until their visibility runs
// out. Asked through Read, the closed body answers io.EOF, as it should: so io.WriterTo is hidden.
package awshttp

import (
	"io"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client sends requests for the SDK. The zero value is not usable; see Over.
type Client struct{ sender }

type sender interface {
	Do(*http.Request) (*http.Response, error)
}

// Over returns a client without the fault that sends through another one: that of a loaded configuration, or an
// *http.Client. A loaded configuration often has none, for the SDK then takes its default; so does Over(nil).
func Over(client interface {
	Do(*http.Request) (*http.Response, error)
}) *Client {
	if client == nil {
		return New()
	}
	return &Client{client}
}

// New is Over the SDK's default client. Options change its transport.
func New(options ...func(*http.Transport)) *Client {
	return &Client{awshttp.NewBuildableClient().WithTransportOptions(options...)}
}

// Do implements the SDK's HTTPClient.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.sender.Do(r)
}
