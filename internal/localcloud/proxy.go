package localcloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/iam"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// proxy is the one endpoint of all clients. Services that Go serves go to their handler, with the caller in the
// request's context; everything else goes on to the emulator as it came, Host header included, because signatures
// cover it.
type proxy struct {
	identify func(ctx context.Context, accessKey, sessionToken string) (arn string, root bool, err error)
	policies iam.Authorizer
	forward  http.Handler
	sqs      sqsWatchers

	mu       sync.RWMutex
	services map[string]http.Handler // by name in the signature's scope
}

func newProxy(emulator *url.URL, log *slog.Logger) *proxy {
	return &proxy{forward: wholeRequests(forwarder(emulator, log)), services: map[string]http.Handler{}}
}

// serve lets a handler of ours answer for a service.
func (p *proxy) serve(service string, h http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.services[service] = h
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, ministack.PathPrefix) {
		http.NotFound(w, r) // between the emulator and us
		return
	}
	if isRegistry(r) {
		p.registry(w, r)
		return
	}
	p.mu.RLock()
	handler := p.services[serviceOf(r)]
	p.mu.RUnlock()
	if handler == nil {
		p.pass(w, r)
		return
	}
	caller, authorizer := p.caller(r)
	handler.ServeHTTP(w, r.WithContext(iam.WithCaller(r.Context(), caller, authorizer)))
}

// pass hands a request on to the emulator.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request) {
	if action := watchedAction(r); action != "" {
		p.sqs.forward(p.forward, action, w, r)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// caller finds out who signed a request. When the credentials are no good, every question is answered with that.
func (p *proxy) caller(r *http.Request) (iam.Caller, iam.Authorizer) {
	s := signatureOf(r)
	root := iam.Root(ministack.Account, ministack.Region)
	if s.region != "" {
		root.Region = s.region
	}
	if s.accessKey == root.AccessKey {
		return root, p.policies
	}
	caller := iam.Caller{Account: root.Account, Region: root.Region, AccessKey: s.accessKey}
	if s.accessKey == "" {
		return caller, refuse{&iam.Denied{Code: "MissingAuthenticationTokenException",
			Message: "Missing Authentication Token"}}
	}
	arn, isRoot, err := p.identify(r.Context(), s.accessKey, s.sessionToken)
	if err != nil {
		return caller, refuse{err}
	}
	caller.ARN, caller.Root = arn, isRoot
	return caller, p.policies
}

// refuse answers every question with the same error.
type refuse struct{ err error }

// Authorize implements iam.Authorizer.
func (r refuse) Authorize(context.Context, iam.Caller, iam.Question) error { return r.err }

// maxWhole is the longest request that is read before it is passed on; longer ones are passed on while they come.
const maxWhole = 64 << 20

// wholeRequests reads requests before they are passed on. The emulator can answer as soon as it has the last byte; the
// server then closes the request's body, and a transport that has yet to find its end takes that for a failure and cuts
// the connection, response included: one call in 50,000.
func wholeRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 0 && r.ContentLength <= maxWhole {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client has gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

// forwarder passes requests on to the emulator.
func forwarder(emulator *url.URL, log *slog.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(emulator)
			pr.Out.Host = pr.In.Host
			if _, ok := pr.In.Header["User-Agent"]; !ok {
				pr.Out.Header["User-Agent"] = nil // the transport would add one of its own
			}
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     60 * time.Second, // below the emulator's 75 s
			DisableCompression:  true,
		},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Warn("the emulator did not answer", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// listen opens the port of the endpoint on 127.0.0.1; 0 is any free one.
func listen(port int) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp",
		net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop what listens there (`ss -ltnp`), or choose another port", port)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}
