package sqstest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
)

// A Server serves a Service over HTTP as AWS does, and takes what a worker has to tell CloudWatch, Step Functions and
// the ECS agent. Its URL is the endpoint of all of them.
type Server struct {
	*httptest.Server
	SQS *Service

	mu          sync.Mutex
	metrics     []Datum
	metricCalls int
	answers     []Answer
	protections []Protection
	// Protect decides on requests for protection: the reason of a failure, or blank.
	Protect     func(Protection) string
	metricsDown bool
}

// A Datum is one of PutMetricData.
type Datum struct {
	Name           string
	Dimensions     map[string]string
	Timestamp      time.Time
	Unit           string
	Values, Counts []float64
}

// Samples returns the datum's SampleCount and Sum.
func (d Datum) Samples() (count, sum float64) {
	for i, n := range d.Counts {
		count += n
		sum += n * d.Values[i]
	}
	return count, sum
}

// An Answer is what a task token was answered with.
type Answer struct {
	Action string // SendTaskSuccess or SendTaskFailure
	Token  string `json:"taskToken"`
	Output string `json:"output"`
	Error  string `json:"error"`
	Cause  string `json:"cause"`
}

// A Protection is a request to the ECS agent.
type Protection struct {
	At      time.Time
	Enabled bool `json:"ProtectionEnabled"`
	Minutes int  `json:"ExpiresInMinutes"`
}

// Serve starts a server with queues of these names; their URLs are those of [Server.URL] and [Server.Queue].
func Serve(names ...string) *Server {
	s := &Server{SQS: New()}
	s.Server = httptest.NewServer(s)
	s.SQS.mu.Lock() // for the goroutines that serve requests: they know of these queues by the lock only
	defer s.SQS.mu.Unlock()
	for _, name := range names {
		s.SQS.queues[s.Queue(name)] = newQueue(s.Queue(name))
	}
	return s
}

// Queue returns the URL of a queue.
func (s *Server) Queue(name string) string { return s.URL + "/000000000000/" + name }

// AgentURI is what ECS would put in the environment as ECS_AGENT_URI.
func (s *Server) AgentURI() string { return s.URL + "/agent" }

// MetadataURI is what ECS would put in the environment as ECS_CONTAINER_METADATA_URI_V4.
func (s *Server) MetadataURI() string { return s.URL + "/metadata" }

// Metrics returns what was published so far, and in how many calls.
func (s *Server) Metrics() (data []Datum, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Datum(nil), s.metrics...), s.metricCalls
}

// MetricsDown makes CloudWatch fail, or work again.
func (s *Server) MetricsDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metricsDown = down
}

// Answers returns the answers to task tokens so far.
func (s *Server) Answers() []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Answer(nil), s.answers...)
}

// Protections returns the requests for protection so far.
func (s *Server) Protections() []Protection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Protection(nil), s.protections...)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	service, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case service == "AmazonSQS":
		s.serveSQS(w, r, action, body)
	case service == "AWSStepFunctions":
		s.serveAnswer(w, action, body)
	case service == "GraniteServiceVersion20100801":
		s.serveMetrics(w, body, json.Unmarshal)
	case strings.HasSuffix(r.URL.Path, "/operation/PutMetricData"):
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		s.serveMetrics(w, body, cbor.Unmarshal)
	case strings.HasSuffix(r.URL.Path, "/task-protection/v1/state"):
		s.serveProtection(w, body)
	case strings.HasPrefix(r.URL.Path, "/metadata"):
		_, _ = io.WriteString(w, `{"Image":"registry/worker@sha256:d1","ImageID":"sha256:c0",`+
			`"Labels":{"com.amazonaws.ecs.task-arn":"arn:aws:ecs:eu-west-1:000000000000:task/cluster/0123abc"}}`)
	default:
		http.Error(w, "sqstest does not know "+r.Method+" "+r.URL.Path+" "+action, http.StatusNotImplemented)
	}
}

func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		in = unzipped
	}
	var body bytes.Buffer
	_, err := body.ReadFrom(in)
	return body.Bytes(), err
}

func (s *Server) serveSQS(w http.ResponseWriter, r *http.Request, action string, body []byte) {
	do, known := actions[action]
	if !known {
		s.reply(w, nil, apiError("InvalidAction", action))
		return
	}
	answer, err := do(r.Context(), s.SQS, body)
	s.reply(w, answer, err)
}

var actions = map[string]func(context.Context, *Service, []byte) (any, error){
	"ReceiveMessage": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.ReceiveMessageInput) (any, error) {
			out, err := s.ReceiveMessage(ctx, in)
			return received(out), err
		})
	},
	"DeleteMessageBatch": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.DeleteMessageBatchInput) (any, error) {
			out, err := s.DeleteMessageBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return map[string]any{"Successful": out.Successful, "Failed": out.Failed}, nil
		})
	},
	"DeleteMessage": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.DeleteMessageInput) (any, error) {
			out, err := s.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{
				QueueUrl: in.QueueUrl,
				Entries:  []types.DeleteMessageBatchRequestEntry{{ReceiptHandle: in.ReceiptHandle}},
			})
			if err != nil {
				return nil, err
			}
			return alone(out.Failed)
		})
	},
	"ChangeMessageVisibilityBatch": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.ChangeMessageVisibilityBatchInput) (any, error) {
			out, err := s.ChangeMessageVisibilityBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return map[string]any{"Successful": out.Successful, "Failed": out.Failed}, nil
		})
	},
	"ChangeMessageVisibility": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.ChangeMessageVisibilityInput) (any, error) {
			entry := types.ChangeMessageVisibilityBatchRequestEntry{
				ReceiptHandle: in.ReceiptHandle, VisibilityTimeout: in.VisibilityTimeout,
			}
			out, err := s.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{
				QueueUrl: in.QueueUrl, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{entry},
			})
			if err != nil {
				return nil, err
			}
			return alone(out.Failed)
		})
	},
	"SendMessage": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.SendMessageInput) (any, error) {
			out, err := s.SendMessage(ctx, in)
			if err != nil {
				return nil, err
			}
			return map[string]any{"MessageId": out.MessageId, "MD5OfMessageBody": digest(*in.MessageBody)}, nil
		})
	},
	"SendMessageBatch": func(ctx context.Context, s *Service, body []byte) (any, error) {
		return call(body, func(in *sqs.SendMessageBatchInput) (any, error) {
			out, err := s.SendMessageBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return map[string]any{"Successful": out.Successful, "Failed": out.Failed}, nil
		})
	},
}

// alone turns the failed entries of a batch of one into the answer to a single call.
func alone(failed []types.BatchResultErrorEntry) (any, error) {
	if len(failed) > 0 {
		return nil, apiError(*failed[0].Code, *failed[0].Message)
	}
	return struct{}{}, nil
}

// call decodes a request and makes the call. The SDK's input types have no JSON tags; they need none, because the
// protocol's names are those of their fields.
func call[In any](body []byte, do func(*In) (any, error)) (any, error) {
	in := new(In)
	if err := json.Unmarshal(body, in); err != nil {
		return nil, apiError("SerializationException", err.Error())
	}
	return do(in)
}

func received(out *sqs.ReceiveMessageOutput) any {
	type message struct {
		MessageID           *string `json:"MessageId"`
		ReceiptHandle, Body *string
		MD5OfBody           string
		Attributes          map[string]string
		MessageAttributes   map[string]types.MessageAttributeValue `json:",omitempty"`
	}
	if out == nil || len(out.Messages) == 0 {
		return struct{}{}
	}
	messages := make([]message, len(out.Messages))
	for i, m := range out.Messages {
		messages[i] = message{m.MessageId, m.ReceiptHandle, m.Body, digest(*m.Body), m.Attributes, m.MessageAttributes}
	}
	return map[string]any{"Messages": messages}
}

func digest(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (s *Server) reply(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	var fault *smithy.GenericAPIError
	switch {
	case errors.Is(err, errCut):
		panic(http.ErrAbortHandler) // breaks the connection
	case errors.As(err, &fault):
		status := http.StatusInternalServerError
		if fault.Code != "InternalError" {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		answer = map[string]string{"__type": "com.amazonaws.sqs#" + fault.Code, "message": fault.Message}
	case err != nil:
		return // the client has gone
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text)
}

func (s *Server) serveAnswer(w http.ResponseWriter, action string, body []byte) {
	a := Answer{Action: action}
	if err := json.Unmarshal(body, &a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.answers = append(s.answers, a)
	s.mu.Unlock()
	s.reply(w, struct{}{}, nil)
}

func (s *Server) serveProtection(w http.ResponseWriter, body []byte) {
	p := Protection{At: time.Now()}
	if err := json.Unmarshal(body, &p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.protections = append(s.protections, p)
	decide := s.Protect
	s.mu.Unlock()
	if decide != nil {
		if reason := decide(p); reason != "" {
			s.reply(w, map[string]any{"failure": map[string]string{"Reason": reason, "Detail": "test"}}, nil)
			return
		}
	}
	s.reply(w, map[string]any{"protection": p}, nil)
}

// serveMetrics takes a PutMetricData in one of CloudWatch's protocols: CBOR, which the Go SDK speaks, or JSON.
func (s *Server) serveMetrics(w http.ResponseWriter, body []byte, decode func([]byte, any) error) {
	var in struct {
		MetricData []struct {
			MetricName string
			Dimensions []struct{ Name, Value string }
			Timestamp  any // a time in CBOR, seconds in JSON
			Unit       string
			Values     []float64
			Counts     []float64
		}
	}
	err := decode(body, &in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metricCalls++
	if err != nil || s.metricsDown {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for _, d := range in.MetricData {
		datum := Datum{
			Name: d.MetricName, Dimensions: make(map[string]string), Unit: d.Unit, Values: d.Values, Counts: d.Counts,
		}
		switch t := d.Timestamp.(type) {
		case time.Time:
			datum.Timestamp = t
		case float64:
			datum.Timestamp = time.UnixMicro(int64(t * 1e6))
		}
		for _, dimension := range d.Dimensions {
			datum.Dimensions[dimension.Name] = dimension.Value
		}
		s.metrics = append(s.metrics, datum)
	}
	if w.Header().Get("Smithy-Protocol") == "" {
		_, _ = w.Write([]byte("{}"))
		return
	}
	w.Header().Set("Content-Type", "application/cbor")
	_, _ = w.Write([]byte{0xa0}) // {}
}
