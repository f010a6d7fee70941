package wire

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// maxBody bounds a request after decompression, in bytes. CloudWatch's own limit, the largest here, is 1 MB.
const maxBody = 8 << 20

// Service is an AWS service: an http.Handler for its operations. Register them with [Handle] before serving.
type Service struct {
	// ShapeName is the name of the service's shape: the first half of X-Amz-Target and part of the rpc-v2-cbor path.
	ShapeName string
	// ShapeNamespace comes before the names of errors in rpc-v2-cbor ("com.amazonaws.cloudwatch"). May be empty.
	ShapeNamespace string
	// JSON is the version of the AWS JSON protocol, "1.0" or "1.1".
	JSON string
	// XMLNamespace is that of answers in the query protocol; empty when the service does not speak it.
	XMLNamespace string
	// Log receives faults of this implementation (status 500). nil: none.
	Log *slog.Logger
	// Otherwise serves operations that are not registered. nil: they are refused as unknown.
	Otherwise http.Handler

	operations map[string]operation
}

// operation decodes its input from a tree, runs, and returns a pointer to its output.
type operation func(ctx context.Context, input any) (any, error)

// Handle registers an operation. In and Out are the SDK's structures for it.
func Handle[In, Out any](s *Service, name string, run func(context.Context, *In) (*Out, error)) {
	if s.operations == nil {
		s.operations = map[string]operation{}
	}
	s.operations[name] = func(ctx context.Context, input any) (any, error) {
		in := new(In)
		if err := assign(in, input); err != nil {
			return nil, err
		}
		return run(ctx, in)
	}
}

// protocol reads and writes one wire format.
type protocol interface {
	read(body []byte) (any, error)
	write(w http.ResponseWriter, a answer)
	fail(w http.ResponseWriter, f *Fault)
}

// answer is an output to be written.
type answer struct {
	operation string
	requestID string
	output    object
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("x-amzn-RequestId", id)
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, name := s.route(r, body, id)
	op, known := s.operations[name]
	if !known {
		if s.Otherwise != nil {
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			r.ContentLength = int64(len(body))
			r.Header.Del("Content-Encoding")
			s.Otherwise.ServeHTTP(w, r)
			return
		}
		p.fail(w, unknownOperation(name))
		return
	}
	out, err := s.run(r.Context(), p, op, body)
	if err != nil {
		p.fail(w, s.fault(name, err))
		return
	}
	p.write(w, answer{operation: name, requestID: id, output: objectOf(out)})
}

func (s *Service) run(ctx context.Context, p protocol, op operation, body []byte) (any, error) {
	input, err := p.read(body)
	if err != nil {
		return nil, &Fault{Code: "SerializationException", QueryCode: "MalformedInput", Message: err.Error()}
	}
	return op(ctx, input)
}

// route finds the protocol of a request and the operation that it names.
func (s *Service) route(r *http.Request, body []byte, id string) (protocol, string) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/service/"+s.ShapeName+"/operation/"); ok {
		return cborProtocol{namespace: s.ShapeNamespace, query: r.Header.Get("x-amzn-query-mode") == "true"}, rest
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" || s.XMLNamespace == "" {
		_, name, _ := strings.Cut(target, ".")
		return jsonProtocol{version: s.JSON, query: r.Header.Get("x-amzn-query-mode") == "true"}, name
	}
	q := queryProtocol{namespace: s.XMLNamespace, requestID: id}
	return q, q.action(r.URL.RawQuery, body)
}

// fault turns any error into what the client is told.
func (s *Service) fault(operation string, err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	if s.Log != nil {
		s.Log.Error("operation failed", "service", s.ShapeName, "operation", operation, "error", err)
	}
	return &Fault{Code: "InternalServiceException", QueryCode: "InternalServiceError",
		Status: http.StatusInternalServerError, Message: err.Error()}
}

func unknownOperation(name string) *Fault {
	return &Fault{Code: "UnknownOperationException", QueryCode: "InvalidAction",
		Message: fmt.Sprintf("operation %q is not served by the local engine", name)}
}

func readBody(r *http.Request) ([]byte, error) {
	var from io.Reader = r.Body
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("body is not gzip though Content-Encoding says so: %w", err)
		}
		from = z
	}
	body, err := io.ReadAll(io.LimitReader(from, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("request is larger than %d bytes", maxBody)
	}
	return body, nil
}

// requestID returns a random version 4 UUID.
func requestID() string { return UUID() }

// UUID returns a random version 4 UUID, as AWS puts into its identifiers.
func UUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
