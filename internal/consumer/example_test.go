package consumer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer"
	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// A verifier's job is to download something and to check that it is what it should be.
type verifier struct {
	client *http.Client
	health string // URL that answers when the store of downloads is up
}

// A download is the body of a message.
type download struct {
	URL    string `json:"url"`
	SHA256 string `json:"sha256"`
}

// Validate refuses what could never be verified; the consumer then sets the message aside.
func (d download) Validate() error {
	if sum, err := hex.DecodeString(d.SHA256); err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("sha256 %q is not a digest", d.SHA256)
	}
	return nil
}

// verify is the handler. The request carries the context, so the download stops when the message is not ours any more
// or the task is about to end.
func (v verifier) verify(ctx context.Context, m consumer.Message, d download) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return consumer.Reject(fmt.Sprintf("not a URL: %v", err))
	}
	response, err := v.client.Do(request)
	if err != nil {
		return fmt.Errorf("download: %w", err) // again, after a pause that grows
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return consumer.Reject("there is nothing at " + d.URL)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return consumer.Retry(time.Duration(seconds)*time.Second, errors.New(response.Status))
	default:
		return errors.New(response.Status)
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, response.Body); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if sum := hex.EncodeToString(digest.Sum(nil)); sum != d.SHA256 {
		return consumer.Reject("it is something else: " + sum)
	}
	fmt.Println(m.ID, "is what it should be")
	return nil
}

// canary makes a canary fail when a new version of the worker cannot reach what it needs.
func (v verifier) canary(ctx context.Context, _ consumer.Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.health, nil)
	if err != nil {
		return err
	}
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// A worker that does real work. In worker/handler.go newHandler would make the verifier, set OnCanary and return
// consumer.JSON(v.verify); here SQS and the store of downloads are fakes.
func Example() {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/report" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "all is well")
	}))
	defer store.Close()
	const queue, dead = "http://sqs.test/1/downloads", "http://sqs.test/1/downloads-dead"
	service := sqstest.New(queue, dead)
	sum := sha256.Sum256([]byte("all is well"))
	for id, path := range map[string]string{"first": "/report", "second": "/nothing"} {
		service.Send(queue, sqstest.Message{
			ID: id, Body: fmt.Sprintf(`{"url":%q,"sha256":"%x"}`, store.URL+path, sum),
		})
	}

	v := verifier{client: &http.Client{Timeout: time.Minute}, health: store.URL + "/report"}
	ctx, stop := context.WithCancel(context.Background()) // in the worker: on SIGTERM
	ended := make(chan error)
	go func() {
		ended <- consumer.Run(ctx, consumer.Config{
			SQS: service, QueueURL: queue, DeadLetterQueueURL: dead, Concurrency: 4, OnCanary: v.canary,
		}, consumer.JSON(v.verify))
	}()
	for deleted := 0; deleted < 2; _, _, deleted = service.Count(queue) {
		time.Sleep(time.Millisecond)
	}
	stop()
	fmt.Println("drained:", <-ended)
	for _, m := range service.Visible(dead) {
		fmt.Println("set aside:", len(m.Attributes) > 0)
	}
	// Output:
	// first is what it should be
	// drained: <nil>
	// set aside: true
}

// Retry and Reject may be wrapped like any error.
func ExampleRetry() {
	fmt.Println(consumer.Retry(30*time.Second, errors.New("the store is being restarted")))
	fmt.Println(consumer.Reject("there is no such customer"))
	// Output:
	// again in 30s: the store is being restarted
	// there is no such customer
}

// JSON decodes the body for the handler; what cannot be decoded or is not valid never reaches it.
func ExampleJSON() {
	handler := consumer.JSON(func(_ context.Context, m consumer.Message, d download) error {
		fmt.Println("verify", d.URL)
		return nil
	})
	for _, body := range []string{
		`{"url":"https://example.com/a","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`,
		`{"url":"https://example.com/b","sha256":"?"}`,
	} {
		if err := handler(context.Background(), consumer.Message{Body: body}); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// verify https://example.com/a
	// the body asks for something impossible: sha256 "?" is not a digest
}

// FromEnvironment tells everything that is wrong at once.
func ExampleFromEnvironment() {
	_, err := consumer.FromEnvironment(func(name string) string {
		return map[string]string{"WORKER_CONCURRENCY": "many", "LOG_LEVEL": os.Getenv("NO_SUCH_VARIABLE")}[name]
	})
	fmt.Println(err)
	// Output:
	// WORKER_CONCURRENCY="many": not a whole number between 1 and 1000
	// QUEUE_URL is missing: give the URL of the queue to work on
}
