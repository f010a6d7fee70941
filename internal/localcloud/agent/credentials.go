package agent

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// Credentials of a task's role live six hours, like on ECS, and are renewed when less than an hour is left.
const (
	keysLive  = 6 * time.Hour
	keysRenew = time.Hour
)

// keys are the credentials of a task's role. They are an aws.CredentialsProvider.
type keys struct {
	source  emulator
	role    string
	session string

	mu      sync.Mutex
	current ministack.Credentials
}

func (k *keys) get(ctx context.Context) (ministack.Credentials, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Until(unixSeconds(k.current.Expiration)) > keysRenew {
		return k.current, nil
	}
	fresh, err := k.source.TaskCredentials(ctx, k.role, k.session, keysLive)
	if err != nil {
		return ministack.Credentials{}, err
	}
	k.current = fresh
	return fresh, nil
}

// Retrieve implements aws.CredentialsProvider.
func (k *keys) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := k.get(ctx)
	return aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.SessionToken,
		CanExpire: true, Expires: unixSeconds(c.Expiration), Source: "localcloud agent"}, err
}

// serveCredentials is the container credentials endpoint of the SDKs.
func (a *Agent) serveCredentials(w http.ResponseWriter, r *http.Request, t *task) {
	if t.keys == nil || r.Header.Get("Authorization") != t.token {
		http.Error(w, `{"code":"AccessDenied","message":"no credentials for this caller"}`, http.StatusForbidden)
		return
	}
	c, err := t.keys.get(r.Context())
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"code": "InternalError", "message": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"RoleArn": t.keys.role, "AccessKeyId": c.AccessKey, "SecretAccessKey": c.SecretKey, "Token": c.SessionToken,
		"Expiration": unixSeconds(c.Expiration).UTC().Format(time.RFC3339),
	})
}

func unixSeconds(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }
