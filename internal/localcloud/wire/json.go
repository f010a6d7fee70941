package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// jsonProtocol is AWS JSON 1.0 and 1.1.
type jsonProtocol struct {
	version string
	query   bool // the client also wants the error's older name
}

func (jsonProtocol) read(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, fmt.Errorf("the request is not JSON: %w", err)
	}
	return tree, nil
}

func (p jsonProtocol) write(w http.ResponseWriter, a answer) {
	p.send(w, http.StatusOK, a.output)
}

func (p jsonProtocol) fail(w http.ResponseWriter, f *Fault) {
	o := object{{"__type", f.Code}, {"Message", f.Message}}
	for name, value := range f.Members {
		o = append(o, member{name, value})
	}
	w.Header().Set("x-amzn-ErrorType", f.Code)
	if p.query {
		w.Header().Set("x-amzn-query-error", f.queryCode()+";"+f.party())
	}
	p.send(w, f.status(), o)
}

func (p jsonProtocol) send(w http.ResponseWriter, status int, o object) {
	body := appendJSON(nil, o)
	w.Header().Set("Content-Type", "application/x-amz-json-"+p.version)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func appendJSON(b []byte, tree any) []byte {
	switch t := tree.(type) {
	case object:
		return appendJSONMembers(b, t)
	case dictionary:
		return appendJSONMembers(b, t)
	case []any:
		b = append(b, '[')
		for i, v := range t {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v)
		}
		return append(b, ']')
	case string:
		return appendJSONString(b, t)
	case bool:
		return strconv.AppendBool(b, t)
	case int64:
		return strconv.AppendInt(b, t, 10)
	case float64:
		return appendJSONFloat(b, t)
	case time.Time:
		return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
	}
	panic(fmt.Sprintf("wire: no JSON for a %T", tree))
}

func appendJSONMembers(b []byte, members []member) []byte {
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, m.name)
		b = append(b, ':')
		b = appendJSON(b, m.value)
	}
	return append(b, '}')
}

func appendJSONString(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(b, bytes.TrimRight(out.Bytes(), "\n")...)
}

// appendJSONFloat writes a number with at least one decimal, so that a client keeps it a floating-point number; what
// JSON has no number for is written as a string, as AWS does.
func appendJSONFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.AppendFloat(b, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}
