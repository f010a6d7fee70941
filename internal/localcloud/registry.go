package localcloud

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/iam"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// The emulator's image registry serves anybody. ECR knows by the token who pushes and pulls, and checks each step: so
// tokens are given here, and carry the access key of whoever asked; and the steps are checked here before they go on.

const (
	registryPath  = "/v2/"
	registryLogin = "AWS" // the user name of every ECR token
	tokenLife     = 12 * time.Hour
)

// serveECR gives tokens; everything else of the ECR API is the emulator's.
func (c *Cloud) serveECR(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetAuthorizationToken") {
		c.proxy.forward.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err := iam.Authorize(r.Context(), iam.Question{Action: "ecr:GetAuthorizationToken", Resource: "*"}); err != nil {
		code, message := "ServerException", err.Error()
		var denied *iam.Denied
		if errors.As(err, &denied) {
			code, message = denied.Code, denied.Message
		}
		w.WriteHeader(http.StatusBadRequest)
		writeBody(w, map[string]string{"__type": code, "message": message})
		return
	}
	token := base64.StdEncoding.EncodeToString([]byte(registryLogin + ":" + iam.CallerOf(r.Context()).AccessKey))
	writeBody(w, map[string]any{"authorizationData": []any{map[string]any{
		"authorizationToken": token, "expiresAt": time.Now().Add(tokenLife).Unix(), "proxyEndpoint": c.endpoint,
	}}})
}

// registry checks a request to the image registry and passes it on.
func (p *proxy) registry(w http.ResponseWriter, r *http.Request) {
	user, key, ok := r.BasicAuth()
	if !ok || user != registryLogin {
		w.Header().Set("WWW-Authenticate", `Basic realm="http://`+r.Host+`/",service="ecr.amazonaws.com"`)
		w.WriteHeader(http.StatusUnauthorized)
		writeBody(w, registryError("UNAUTHORIZED", "authentication required"))
		return
	}
	if action, repository := registryAction(r); action != "" {
		caller := iam.Root(ministack.Account, ministack.Region)
		caller.AccessKey, caller.Root = key, key == rootKey
		arn := fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", ministack.Region, ministack.Account, repository)
		ctx := iam.WithCaller(r.Context(), caller, p.policies)
		if err := iam.Authorize(ctx, iam.Question{Action: action, Resource: arn}); err != nil {
			w.WriteHeader(http.StatusForbidden)
			writeBody(w, registryError("DENIED", err.Error()))
			return
		}
	}
	p.forward.ServeHTTP(w, r)
}

// isRegistry tells a request to the image registry from those of services whose paths begin alike.
func isRegistry(r *http.Request) bool {
	path := r.URL.Path
	return path == registryPath || strings.HasPrefix(path, registryPath) && (strings.Contains(path, "/blobs/") ||
		strings.Contains(path, "/manifests/") || strings.HasSuffix(path, "/tags/list"))
}

// registryAction is the IAM action that ECR checks for a step of a push or pull, with the repository; "" for none.
func registryAction(r *http.Request) (action, repository string) {
	path := strings.TrimPrefix(r.URL.Path, registryPath)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if repository, _, ok := strings.Cut(path, "/manifests/"); ok {
		if read {
			return "ecr:BatchGetImage", repository
		}
		return "ecr:PutImage", repository
	}
	if repository, _, ok := strings.Cut(path, "/blobs/uploads/"); ok {
		switch r.Method {
		case http.MethodPost:
			return "ecr:InitiateLayerUpload", repository
		case http.MethodPut:
			return "ecr:CompleteLayerUpload", repository
		}
		return "ecr:UploadLayerPart", repository
	}
	if repository, _, ok := strings.Cut(path, "/blobs/"); ok {
		if r.Method == http.MethodHead {
			return "ecr:BatchCheckLayerAvailability", repository
		}
		return "ecr:GetDownloadUrlForLayer", repository
	}
	if repository, ok := strings.CutSuffix(path, "/tags/list"); ok {
		return "ecr:ListImages", repository
	}
	return "", ""
}

func registryError(code, message string) any {
	return map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}}
}

func writeBody(w http.ResponseWriter, body any) {
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}
