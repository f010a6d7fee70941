package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// queryProtocol is the older AWS query protocol: a form as request, XML as answer.
type queryProtocol struct {
	namespace string
	requestID string
}

// action finds the operation's name, which may be in the body or in the URL, and leaves both to read.
func (queryProtocol) action(rawQuery string, body []byte) string {
	for _, form := range []string{string(body), rawQuery} {
		if values, err := url.ParseQuery(form); err == nil && values.Get("Action") != "" {
			return values.Get("Action")
		}
	}
	return ""
}

// read turns "MetricData.member.1.Value=3" into a tree of maps whose leaves are strings.
func (queryProtocol) read(body []byte) (any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("the request is not a form: %w", err)
	}
	root := map[string]any{}
	for key, v := range values {
		if err := plant(root, key, v[0]); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func plant(root map[string]any, key, value string) error {
	parts := strings.Split(key, ".")
	node := root
	for _, p := range parts[:len(parts)-1] {
		next, ok := node[p].(map[string]any)
		if !ok {
			if _, taken := node[p]; taken {
				return fmt.Errorf("parameter %s has a value and members", key)
			}
			next = map[string]any{}
			node[p] = next
		}
		node = next
	}
	last := parts[len(parts)-1]
	if _, taken := node[last]; taken {
		return fmt.Errorf("parameter %s has a value and members", key)
	}
	node[last] = value
	return nil
}

func (q queryProtocol) write(w http.ResponseWriter, a answer) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns="%s">`, a.operation, q.namespace)
	if len(a.output) > 0 {
		element(&b, a.operation+"Result", a.output)
	} else {
		fmt.Fprintf(&b, "<%sResult/>", a.operation)
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
		a.requestID, a.operation)
	q.send(w, http.StatusOK, b.Bytes())
}

func (q queryProtocol) fail(w http.ResponseWriter, f *Fault) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<ErrorResponse xmlns="%s">`, q.namespace)
	element(&b, "Error", object{{"Type", f.party()}, {"Code", f.queryCode()}, {"Message", f.Message}})
	fmt.Fprintf(&b, "<RequestId>%s</RequestId></ErrorResponse>", q.requestID)
	status := f.status()
	if f.Code == "AccessDeniedException" {
		status = http.StatusForbidden
	}
	q.send(w, status, b.Bytes())
}

func (queryProtocol) send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func element(b *bytes.Buffer, name string, tree any) {
	fmt.Fprintf(b, "<%s>", name)
	switch t := tree.(type) {
	case object:
		for _, m := range t {
			element(b, m.name, m.value)
		}
	case dictionary:
		for _, m := range t {
			element(b, "entry", object{{"key", m.name}, {"value", m.value}})
		}
	case []any:
		for _, v := range t {
			element(b, "member", v)
		}
	default:
		_ = xml.EscapeText(b, []byte(text(tree))) // a bytes.Buffer does not fail
	}
	fmt.Fprintf(b, "</%s>", name)
}

func text(tree any) string {
	switch t := tree.(type) {
	case string:
		return t
	case bool:
		return strconv.FormatBool(t)
	case int64:
		return strconv.FormatInt(t, 10)
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64)
	case time.Time:
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	panic(fmt.Sprintf("wire: no XML text for a %T", tree))
}
