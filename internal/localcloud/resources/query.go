package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// query calls EC2, whose SDK client would be the largest dependency of the project for seven calls.
type query struct {
	config aws.Config
}

// queryError is EC2's refusal.
type queryError struct {
	Code    string `xml:"Errors>Error>Code"`
	Message string `xml:"Errors>Error>Message"`
}

func (e *queryError) Error() string { return "EC2: " + e.Code + ": " + e.Message }

// missing tells whether the resource does not exist (InvalidAllocationID.NotFound, NatGatewayNotFound).
func (e *queryError) missing() bool { return strings.HasSuffix(e.Code, "NotFound") }

// call runs one action and reads its answer, which may be nil.
func (q query) call(ctx context.Context, action string, parameters map[string]string, answer any) error {
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for name, value := range parameters {
		form.Set(name, value)
	}
	body := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, aws.ToString(q.config.BaseEndpoint)+"/",
		strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := q.sign(ctx, req, body); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	resp, err := q.config.HTTPClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if resp.StatusCode != http.StatusOK {
		refusal := &queryError{}
		if xml.Unmarshal(text, refusal) != nil || refusal.Code == "" {
			return fmt.Errorf("%s: status %d: %s", action, resp.StatusCode, text)
		}
		return refusal
	}
	if answer == nil {
		return nil
	}
	if err := xml.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s: unreadable answer: %w", action, err)
	}
	return nil
}

func (q query) sign(ctx context.Context, req *http.Request, body string) error {
	keys, err := q.config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(body))
	return v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(hash[:]), "ec2", q.config.Region, time.Now())
}
