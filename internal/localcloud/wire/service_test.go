package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

var update = flag.Bool("update", false, "write the golden files of answers anew")

// echo is a service with one operation that keeps its input, and answers a datapoint or fails.
type echo struct {
	Service
	in   *cloudwatch.PutMetricDataInput
	fail error
}

func newEcho() *echo {
	e := &echo{Service: Service{
		ShapeName: "Granite", ShapeNamespace: "com.amazonaws.cloudwatch", JSON: "1.0", XMLNamespace: "http://xml/",
	}}
	Handle(&e.Service, "PutMetricData", e.putMetricData)
	return e
}

func (e *echo) putMetricData(
	_ context.Context, in *cloudwatch.PutMetricDataInput,
) (*cloudwatch.GetMetricStatisticsOutput, error) {
	e.in = in
	at := time.Date(2026, 1, 2, 3, 4, 5, 500e6, time.UTC)
	return &cloudwatch.GetMetricStatisticsOutput{Label: aws.String("a<b"), Datapoints: []types.Datapoint{{
		Timestamp: &at, Average: aws.Float64(1.5), Sum: aws.Float64(3), Unit: types.StandardUnitSeconds,
		ExtendedStatistics: map[string]float64{"p99": 2, "p50": 1},
	}}}, e.fail
}

// example is what the request of every protocol in testdata says.
var example = &cloudwatch.PutMetricDataInput{
	Namespace: aws.String("N/ä&="), StrictEntityValidation: aws.Bool(true),
	MetricData: []types.MetricDatum{
		{
			MetricName: aws.String("m"), Value: aws.Float64(2.5), Unit: types.StandardUnitCount,
			StorageResolution: aws.Int32(60), Timestamp: aws.Time(time.Date(2026, 11, 24, 23, 34, 2, 0, time.UTC)),
			Dimensions: []types.Dimension{{Name: aws.String("d"), Value: aws.String("v")}},
		},
		{MetricName: aws.String("n"), Values: []float64{1, 2}, Counts: []float64{3, 4}},
	},
}

// protocols are the ways to call; the bodies are in testdata as clients send them.
var protocols = []string{"query", "json", "cbor"}

func request(ctx context.Context, protocol string, body []byte) *http.Request {
	path := "/"
	if protocol == "cbor" {
		path = "/service/Granite/operation/PutMetricData"
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	if protocol == "json" {
		r.Header.Set("X-Amz-Target", "Granite.PutMetricData")
	}
	r.Header.Set("x-amzn-query-mode", "true")
	return r
}

func body(t testing.TB, protocol string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "request."+protocol))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call sends the example and returns the answer, its request id blotted out.
func (e *echo) call(t *testing.T, protocol string) (*httptest.ResponseRecorder, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, request(t.Context(), protocol, body(t, protocol)))
	return w, bytes.ReplaceAll(w.Body.Bytes(), []byte(w.Header().Get("x-amzn-RequestId")), []byte("ID"))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was answered:\n%q, want\n%q", name, got, want)
	}
}

func TestEveryProtocolSaysTheSame(t *testing.T) {
	for _, p := range protocols {
		e := newEcho()
		if w, answer := e.call(t, p); w.Code != http.StatusOK {
			t.Errorf("%s: status %d %s", p, w.Code, answer)
		} else if !reflect.DeepEqual(e.in, example) {
			t.Errorf("%s is read as %+v", p, *e.in)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, p := range protocols {
		w, answer := newEcho().call(t, p)
		golden(t, "answer."+p, answer)
		if got := w.Header().Get("smithy-protocol"); p == "cbor" && got != "rpc-v2-cbor" {
			t.Errorf("the header smithy-protocol is %q", got)
		}
	}
}

func TestFaults(t *testing.T) {
	invalid := &Fault{
		Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: "no <way>",
		Members: map[string]string{"Hint": "h"},
	}
	for _, c := range []struct {
		name   string
		fail   error
		status map[string]int
	}{
		{"invalid", invalid, map[string]int{"query": 400, "json": 400, "cbor": 400}},
		{"broken", errors.New("out of order"), map[string]int{"query": 500, "json": 500, "cbor": 500}},
		{"denied", AccessDenied("User x may not"), map[string]int{"query": 403, "json": 400, "cbor": 400}},
	} {
		for _, p := range protocols {
			e := newEcho()
			e.fail = c.fail
			w, answer := e.call(t, p)
			golden(t, "fault."+c.name+"."+p, answer)
			if w.Code != c.status[p] {
				t.Errorf("%s, %s: status %d, want %d", p, c.name, w.Code, c.status[p])
			}
			want := invalid.QueryCode + ";Sender"
			if h := w.Header().Get("x-amzn-query-error"); c.name == "invalid" && p != "query" && h != want {
				t.Errorf("%s: x-amzn-query-error is %q, want %q", p, h, want)
			}
		}
	}
}

func TestCompressedRequests(t *testing.T) {
	e := newEcho()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body(t, "json"))
	_ = z.Close()
	r := request(t.Context(), "json", packed.Bytes())
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !reflect.DeepEqual(e.in, example) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnknownOperationsGoElsewhere(t *testing.T) {
	e := newEcho()
	e.Otherwise = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "elsewhere: %s", b)
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, request(t.Context(), "query", []byte("Action=Dance")))
	if w.Body.String() != "elsewhere: Action=Dance" {
		t.Errorf("answer: %s", w.Body)
	}
}

func FuzzRequests(f *testing.F) {
	for _, p := range protocols {
		f.Add(p, body(f, p))
	}
	f.Fuzz(func(t *testing.T, protocol string, body []byte) {
		w := httptest.NewRecorder()
		newEcho().ServeHTTP(w, request(t.Context(), protocol, body))
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("status %d for %q: %s", w.Code, body, w.Body)
		}
	})
}

func TestViolations(t *testing.T) {
	var v Violations
	Required[string](&v, "a", nil)
	Enum(&v, "b", types.StandardUnit("x"), []types.StandardUnit{"z", "y"})
	v.Length("c", aws.String("äöü"), 1, 2)
	Range(&v, "d", aws.Int32(0), 1, 5)
	Range(&v, "e", aws.Float64(5), 1, 5)
	want := "4 validation errors detected: " + strings.Join([]string{
		"Value null at 'a' failed to satisfy constraint: Member must not be null",
		"Value 'x' at 'b' failed to satisfy constraint: Member must satisfy enum value set: [y, z]",
		"Value 'äöü' at 'c' failed to satisfy constraint: Member must have length less than or equal to 2",
		"Value '0' at 'd' failed to satisfy constraint: Member must have value greater than or equal to 1",
	}, "; ")
	if got := v.Message(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
