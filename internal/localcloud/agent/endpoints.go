package agent

import (
	"encoding/json"
	"net/http"
)

// Paths of the endpoints; each is followed by the task's token.
const (
	credentialsPath = "/v2/credentials/"
	metadataPath    = "/v4/"
	agentPath       = "/api/"
)

// endpoints are what the processes of tasks can ask. The token in the path says which task asks.
func (a *Agent) endpoints() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, serve func(http.ResponseWriter, *http.Request, *task)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			t := a.byToken(r.PathValue("token"))
			if t == nil {
				http.NotFound(w, r)
				return
			}
			serve(w, r, t)
		})
	}
	handle("GET "+credentialsPath+"{token}", a.serveCredentials)
	handle("GET "+metadataPath+"{token}", func(w http.ResponseWriter, _ *http.Request, t *task) {
		writeJSON(w, http.StatusOK, t.containerMetadata())
	})
	handle("GET "+metadataPath+"{token}/task", func(w http.ResponseWriter, _ *http.Request, t *task) {
		writeJSON(w, http.StatusOK, t.taskMetadata())
	})
	handle("GET "+agentPath+"{token}/task-protection/v1/state", a.getProtection)
	handle("PUT "+agentPath+"{token}/task-protection/v1/state", a.putProtection)
	return mux
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the task has gone
}
