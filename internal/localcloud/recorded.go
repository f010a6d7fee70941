package localcloud

import (
	"bytes"
	"io"
	"maps"
	"net/http"
)

// recorded is a whole response that has not been sent yet. It is an http.ResponseWriter.
type recorded struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// record runs a handler and keeps its response.
func record(h http.Handler, r *http.Request) *recorded {
	answer := &recorded{status: http.StatusOK, header: http.Header{}}
	h.ServeHTTP(answer, r)
	return answer
}

// Header implements http.ResponseWriter.
func (a *recorded) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *recorded) Write(p []byte) (int, error) { return a.body.Write(p) }

// WriteHeader implements http.ResponseWriter.
func (a *recorded) WriteHeader(status int) { a.status = status }

// send sends the response.
func (a *recorded) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client may have gone
}

// readBody reads a request's body and puts it back.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
	return body, err
}
