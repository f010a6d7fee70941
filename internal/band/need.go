package band

// need is how many tasks a look asks for, in fractions of a task.
type need struct {
	rate    float64 // for what arrives
	backlog float64 // for what waits
}

// needs is the rule of the package comment.
func (s Settings) needs(l Look, m Memory) need {
	visible, inFlight := float64(l.Visible), float64(l.InFlight)
	c, processing := float64(s.Concurrency), l.ProcessingSeconds
	delay, look := s.AcceptableDelay.Seconds(), s.LookInterval.Seconds()

	busy, growth := m.trend(l)
	live := busy + growth*processing/s.trendOver(l)
	rate := max(l.inWork(), live, 0) / (c * s.utilisation())

	left := max(delay-look, delay/2)
	spare := l.tasks() * c * left / processing
	backlog := visible * processing / (c * left)
	if visible > spare {
		soon := max(delay/9, look/3)
		backlog = l.tasks() + (visible-spare)*processing/(c*soon)
	}
	return need{rate: rate, backlog: min(backlog, (visible+inFlight)/c)}
}

// trendOver is T in seconds: at least a minute, and longer where a single job or the delay is.
func (s Settings) trendOver(l Look) float64 {
	longest := s.looks(forget).Seconds()
	return max(s.looks(minute).Seconds(), min(l.ProcessingSeconds, longest),
		min(s.AcceptableDelay.Seconds(), longest))
}

// utilisation is u. With a short delay there is no time to wait for a free slot; with a minute or more the slots may
// all be busy.
func (s Settings) utilisation() float64 {
	return min(max(0.7+float64(s.AcceptableDelay)/float64(s.looks(10)), 0.8), 1)
}

// decay is d, the share of the ceiling that goes within a minute: the longer the delay, the less it matters when a task
// has to be started again.
func (s Settings) decay() float64 {
	return min(max(float64(s.AcceptableDelay)/float64(s.looks(25)), 0.05), 0.6)
}
