package consumer

import (
	"context"
	"log/slog"
	"sync"
)

// news logs the outcome of something that is done over and over: only when it changes.
type news struct {
	log   *slog.Logger
	level slog.Level // of a failure
	what  string

	mu       sync.Mutex
	state    string // the last failure's kind, blank after a success
	failures int
}

func newNews(log *slog.Logger, level slog.Level, what string) *news {
	return &news{log: log, level: level, what: what}
}

// tell notes an outcome. Failures are of the same kind as long as there was no success between them.
func (n *news) tell(err error) { n.tellKind("failed", err) }

// tellKind is tell where failures of different kinds are worth a line each.
func (n *news) tellKind(kind string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		if n.state != "" {
			n.log.Info(n.what+" works again", "failures", n.failures)
		}
		n.state, n.failures = "", 0
		return
	}
	n.failures++
	if n.state != kind {
		n.state = kind
		n.log.Log(context.Background(), n.level, "cannot "+n.what+", will try again", "error", err)
	}
}
