package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// echo is a service with one operation that keeps its input, and answers a datapoint or fails.
type echo struct {
	Service
	in   *cloudwatch.PutMetricDataInput
	fail error
}

func newEcho() *echo {
	e := &echo{Service: Service{ShapeName: "Granite", ShapeNamespace: "com.amazonaws.cloudwatch", JSON: "1.0", XMLNamespace: "http://xml/"}}
	Handle(&e.Service, "PutMetricData", func(_ context.Context, in *cloudwatch.PutMetricDataInput) (*cloudwatch.GetMetricStatisticsOutput, error) {
		e.in = in
		at := time.Date(2026, 1, 2, 3, 4, 5, 500e6, time.UTC)
		return &cloudwatch.GetMetricStatisticsOutput{Label: aws.String("a<b"), Datapoints: []types.Datapoint{
			{Timestamp: &at, Average: aws.Float64(1.5), Sum: aws.Float64(3), Unit: types.StandardUnitSeconds, ExtendedStatistics: map[string]float64{"p99": 2, "p50": 1}},
		}}, e.fail
	})
	return e
}

// example is what every protocol's request says.
var example = &cloudwatch.PutMetricDataInput{Namespace: aws.String("N/ä&="), MetricData: []types.MetricDatum{
	{MetricName: aws.String("m"), Value: aws.Float64(2.5), StorageResolution: aws.Int32(60), Unit: types.StandardUnitCount,
		Timestamp: aws.Time(time.Date(2026, 11, 24, 23, 34, 2, 0, time.UTC)), Dimensions: []types.Dimension{{Name: aws.String("d"), Value: aws.String("v")}}},
	{MetricName: aws.String("n"), Values: []float64{1, 2}, Counts: []float64{3, 4}},
}, StrictEntityValidation: aws.Bool(true)}

// requests hold the example as clients send it: the query protocol of the AWS CLI version 1, JSON 1.0 and CBOR.
var requests = map[string]struct{ path, target, contentType, body string }{
	"query": {"/", "", "application/x-www-form-urlencoded; charset=utf-8",
		"Action=PutMetricData&Version=2010-08-01&Namespace=N%2F%C3%A4%26%3D&MetricData.member.1.MetricName=m&MetricData.member.1.Value=2.5" +
			"&MetricData.member.1.StorageResolution=60&MetricData.member.1.Unit=Count&MetricData.member.1.Timestamp=2026-11-24T23%3A34%3A02Z" +
			"&MetricData.member.1.Dimensions.member.1.Name=d&MetricData.member.1.Dimensions.member.1.Value=v&MetricData.member.2.MetricName=n" +
			"&MetricData.member.2.Values.member.1=1&MetricData.member.2.Values.member.2=2&MetricData.member.2.Counts.member.1=3" +
			"&MetricData.member.2.Counts.member.2=4&StrictEntityValidation=true"},
	"json": {"/", "Granite.PutMetricData", "application/x-amz-json-1.0",
		`{"Namespace":"N/ä&=","MetricData":[{"MetricName":"m","Value":2.5,"StorageResolution":60,"Unit":"Count","Timestamp":1795563242,` +
			`"Dimensions":[{"Name":"d","Value":"v"}]},{"MetricName":"n","Values":[1,2.0],"Counts":[3,4],"Unknown":{"x":[1]}}],"StrictEntityValidation":true}`},
	"cbor": {"/service/Granite/operation/PutMetricData", "", "application/cbor", string(mustHex(
		"bf" + "694e616d657370616365" + "664e2fc3a4263d" + "6a4d657472696344617461" + "9f" +
			"bf" + "6a4d65747269634e616d65" + "616d" + "6556616c7565" + "fb4004000000000000" + "7153746f726167655265736f6c7574696f6e" + "183c" +
			"64556e6974" + "65436f756e74" + "6954696d657374616d70" + "c1" + "1a6b061eea" +
			"6a44696d656e73696f6e73" + "81" + "a2" + "644e616d65" + "6164" + "6556616c7565" + "6176" + "ff" +
			"bf" + "6a4d65747269634e616d65" + "616e" + "6656616c756573" + "82" + "01" + "f94000" + "66436f756e7473" + "82" + "03" + "04" + "ff" + "ff" +
			"76537472696374456e7469747956616c69646174696f6e" + "f5" + "ff"))},
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (e *echo) call(name string) *http.Response {
	q := requests[name]
	r := httptest.NewRequest(http.MethodPost, q.path, strings.NewReader(q.body))
	r.Header.Set("Content-Type", q.contentType)
	if q.target != "" {
		r.Header.Set("X-Amz-Target", q.target)
	}
	r.Header.Set("x-amzn-query-mode", "true")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Result()
}

func TestEveryProtocolSaysTheSame(t *testing.T) {
	for name := range requests {
		e := newEcho()
		if res := e.call(name); res.StatusCode != 200 {
			body, _ := io.ReadAll(res.Body)
			t.Errorf("%s: status %d %s", name, res.StatusCode, body)
			continue
		}
		if !reflect.DeepEqual(e.in, example) {
			t.Errorf("%s is read as %+v", name, *e.in)
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, want := range map[string]string{
		"json": `{"Datapoints":[{"Average":1.5,"ExtendedStatistics":{"p50":1.0,"p99":2.0},"Sum":3.0,"Timestamp":1767323045.5,"Unit":"Seconds"}],"Label":"a<b"}`,
		"query": `<PutMetricDataResponse xmlns="http://xml/"><PutMetricDataResult><Datapoints><member><Average>1.5</Average><ExtendedStatistics>` +
			`<entry><key>p50</key><value>1</value></entry><entry><key>p99</key><value>2</value></entry></ExtendedStatistics><Sum>3</Sum>` +
			`<Timestamp>2026-01-02T03:04:05.500Z</Timestamp><Unit>Seconds</Unit></member></Datapoints><Label>a&lt;b</Label></PutMetricDataResult>` +
			`<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></PutMetricDataResponse>`,
		"cbor": fmt.Sprintf("%x", "\xa2\x65Label\x63a<b\x6aDatapoints\x81\xa5\x63Sum\xfb\x40\x08\x00\x00\x00\x00\x00\x00\x64Unit\x67Seconds"+
			"\x67Average\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00\x69Timestamp\xc1\xfb\x41\xda\x55\xcd\x69\x60\x00\x00"+
			"\x72ExtendedStatistics\xa2\x63p50\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00\x63p99\xfb\x40\x00\x00\x00\x00\x00\x00\x00"),
	} {
		res := newEcho().call(name)
		body, _ := io.ReadAll(res.Body)
		got := strings.ReplaceAll(string(body), res.Header.Get("x-amzn-RequestId"), "ID")
		if name == "cbor" {
			got = fmt.Sprintf("%x", body)
			if res.Header.Get("smithy-protocol") != "rpc-v2-cbor" {
				t.Error("the header smithy-protocol is missing")
			}
		}
		if got != want {
			t.Errorf("%s answers\n%s, want\n%s", name, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	fault := &Fault{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: "no <way>", Members: map[string]string{"Hint": "h"}}
	for _, c := range []struct {
		name   string
		fail   error
		status int
		want   string
	}{
		{"json", fault, 400, `{"__type":"InvalidParameterValueException","Message":"no <way>","Hint":"h"}`},
		{"query", fault, 400, `<ErrorResponse xmlns="http://xml/"><Error><Type>Sender</Type><Code>InvalidParameterValue</Code>` +
			`<Message>no &lt;way&gt;</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"cbor", fault, 400, "\xa3\x64Hint\x61h\x66__type\x78\x37com.amazonaws.cloudwatch#InvalidParameterValueException\x67message\x68no <way>"},
		{"json", errors.New("broken"), 500, `{"__type":"InternalServiceException","Message":"broken"}`},
		{"query", errors.New("broken"), 500, `<ErrorResponse xmlns="http://xml/"><Error><Type>Receiver</Type><Code>InternalServiceError</Code>` +
			`<Message>broken</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"query", AccessDenied("User x may not"), 403, `<ErrorResponse xmlns="http://xml/"><Error><Type>Sender</Type><Code>AccessDenied</Code>` +
			`<Message>User x may not</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
	} {
		e := newEcho()
		e.fail = c.fail
		res := e.call(c.name)
		body, _ := io.ReadAll(res.Body)
		got := strings.ReplaceAll(string(body), res.Header.Get("x-amzn-RequestId"), "ID")
		if res.StatusCode != c.status || got != c.want {
			t.Errorf("%s, %v: %d %q\nwant %d %q", c.name, c.fail, res.StatusCode, got, c.status, c.want)
		}
		if c.name != "query" && c.fail == fault && res.Header.Get("x-amzn-query-error") != "InvalidParameterValue;Sender" {
			t.Errorf("%s: x-amzn-query-error is %q", c.name, res.Header.Get("x-amzn-query-error"))
		}
	}
}

func TestCompressedAndUnknownRequests(t *testing.T) {
	e := newEcho()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(requests["json"].body))
	_ = z.Close()
	r := httptest.NewRequest(http.MethodPost, "/", &packed)
	r.Header.Set("X-Amz-Target", "Granite.PutMetricData")
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != 200 || !reflect.DeepEqual(e.in, example) {
		t.Errorf("compressed: %d %s", w.Code, w.Body)
	}
	e.Otherwise = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "elsewhere: %s", body)
	})
	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=Dance"))
	w = httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Body.String() != "elsewhere: Action=Dance" {
		t.Errorf("unknown operation: %s", w.Body)
	}
}

func FuzzRequests(f *testing.F) {
	for name, q := range requests {
		f.Add(name, []byte(q.body))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		q, known := requests[name]
		if !known {
			return
		}
		r := httptest.NewRequest(http.MethodPost, q.path, bytes.NewReader(body))
		if q.target != "" {
			r.Header.Set("X-Amz-Target", q.target)
		}
		w := httptest.NewRecorder()
		newEcho().ServeHTTP(w, r)
		if w.Code >= 500 {
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
	want := "4 validation errors detected: Value null at 'a' failed to satisfy constraint: Member must not be null; " +
		"Value 'x' at 'b' failed to satisfy constraint: Member must satisfy enum value set: [y, z]; " +
		"Value 'äöü' at 'c' failed to satisfy constraint: Member must have length less than or equal to 2; " +
		"Value '0' at 'd' failed to satisfy constraint: Member must have value greater than or equal to 1"
	if got := v.Message(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
