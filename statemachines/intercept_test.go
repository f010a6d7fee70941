//go:build local

package statemachines

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"testing"
)

// interception looks at each call that a function makes of one service, and may answer with an error code of its own.
type interception func(action string) (errorCode string)

// intercept leads a function's calls of a service through the test until the returned func is called. The service is
// named as in the variable that the SDK reads: AWS_ENDPOINT_URL_<SERVICE>.
func (w *world) intercept(t *testing.T, functionKey, service string, look interception) (restore func()) {
	t.Helper()
	engine, err := url.Parse(w.cloud.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(engine)
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		action := in.Header.Get("X-Amz-Target")
		action = action[strings.LastIndexByte(action, '.')+1:]
		if action == "" {
			action = path.Base(in.URL.Path)
		}
		if code := look(action); code != "" {
			out.Header().Set("Content-Type", "application/x-amz-json-1.1")
			out.Header().Set("X-Amzn-Errortype", code)
			out.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(out, `{"__type":%q,"message":"injected"}`, code)
			return
		}
		forward.ServeHTTP(out, in)
	}))
	undo := w.misconfigure(t, functionKey, "AWS_ENDPOINT_URL_"+service, server.URL)
	return func() {
		undo()
		server.Close()
	}
}
