// Package load plays an arrival trace into a queue, in real time.
package load

import (
	"context"
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/trace"
)

type sender interface {
	Send(context.Context, []produce.Message) (produce.Outcome, error)
}

// Player sends what is due, again and again.
type Player struct {
	Sender sender
	// Interval between two looks at what is due. Zero means 200 ms.
	Interval time.Duration
	// Progress is told the number of messages sent after each look that sent some. May be nil.
	Progress func(sent int)
}

// Play sends the trace's arrivals as they come; message makes the one with that index, due at that offset. It returns
// the number of messages sent, which is all of them unless there is an error. Play falls behind rather than drop
// messages when the queue is slow.
func (p Player) Play(ctx context.Context, arrivals trace.Trace,
	message func(index int, offset time.Duration) produce.Message) (int, error) {
	interval := p.Interval
	if interval <= 0 {
		interval = 200 * time.Millisecond
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	started := time.Now()
	sent := 0
	for sent < arrivals.Total() {
		select {
		case <-ctx.Done():
			return sent, context.Cause(ctx)
		case <-ticker.C:
		}
		offset := time.Since(started)
		var due []produce.Message
		for index := sent; index < arrivals.Due(offset); index++ {
			due = append(due, message(index, offset))
		}
		if len(due) == 0 {
			continue
		}
		if _, err := p.Sender.Send(ctx, due); err != nil {
			return sent, fmt.Errorf("messages %d to %d of trace %s: %w", sent, sent+len(due)-1, arrivals.Name, err)
		}
		sent += len(due)
		if p.Progress != nil {
			p.Progress(sent)
		}
	}
	return sent, nil
}
