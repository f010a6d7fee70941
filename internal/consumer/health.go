package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// A healthReport is what a running consumer tells about itself on its health socket, as one line of JSON.
type healthReport struct {
	Fault    string `json:"fault,omitempty"` // blank: the loop is alive
	Working  int    `json:"working"`         // messages in handlers
	Draining bool   `json:"draining,omitempty"`
}

const healthTimeout = 2 * time.Second

// pulse shows whether the pollers turn: each says when it begins to receive, and when it has.
type pulse struct {
	mu    sync.Mutex
	alive int               // pollers that run
	since map[int]time.Time // receives under way, by poller
}

func (p *pulse) begin(poller int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since[poller] = time.Now()
}

func (p *pulse) end(poller int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.since, poller)
}

func (p *pulse) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alive += n
}

// fault tells what is wrong with the loop; blank if nothing is. Waiting for a free slot is not wrong, however long:
// jobs may take hours. A receive that does not return long after it should have is.
func (p *pulse) fault(size int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive < size {
		return fmt.Sprintf("%d of %d pollers have ended", size-p.alive, size)
	}
	for _, since := range p.since {
		if d := time.Since(since); d > 2*(longPoll+receiveMargin) {
			return fmt.Sprintf("a receive has been under way for %v", d.Round(time.Second))
		}
	}
	return ""
}

func (r *runner) report() healthReport {
	h := healthReport{Working: r.working(), Draining: r.stop.Err() != nil}
	if !h.Draining {
		h.Fault = r.pulse.fault(r.pool.size)
	}
	r.leases.mu.Lock() // a keeper that hangs makes the check hang, which is a fault too
	overdue := !r.leases.wake.IsZero() && time.Since(r.leases.wake) > time.Minute
	r.leases.mu.Unlock()
	if overdue {
		h.Fault = "leases are not being extended"
	}
	return h
}

// serveHealth answers health checks until closeHealth.
func (r *runner) serveHealth() {
	if r.HealthSocket == "" {
		return
	}
	listener, err := new(net.ListenConfig).Listen(r.base, "unix", r.HealthSocket)
	if err != nil {
		r.Log.Warn("health is not told", "socket", r.HealthSocket, "error", err)
		return
	}
	r.health = listener
	r.services.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.SetDeadline(time.Now().Add(healthTimeout))
				_ = json.NewEncoder(conn).Encode(r.report())
				_ = conn.Close()
			}()
		}
	})
}

func (r *runner) closeHealth() {
	if r.health != nil {
		_ = r.health.Close()
	}
}

// CheckHealth asks the consumer that listens on the socket whether its loop is alive. The error says why not.
func CheckHealth(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("no worker listens: %w", err)
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	var h healthReport
	if err := json.NewDecoder(conn).Decode(&h); err != nil {
		return fmt.Errorf("the worker does not answer: %w", err)
	}
	if h.Fault != "" {
		return fmt.Errorf("the worker is stuck: %s", h.Fault)
	}
	return nil
}
