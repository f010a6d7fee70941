package agent

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	f := failures{scale: 1}
	for n, seconds := range []float64{0, 0, 1, 2, 4, 8, 16, 32, 60, 60} {
		if got := f.delay("s").Seconds(); got != seconds {
			t.Errorf("after %d failures in a row the next task waits %g s, want %g", n, got, seconds)
		}
		f.ended("s", time.Second)
	}
	if got := f.delay("other"); got != 0 {
		t.Errorf("another service waits %s", got)
	}
	f.ended("s", quickEnd)
	if got := f.delay("s"); got != 0 {
		t.Errorf("after a task that lived long the next one waits %s", got)
	}
}

func TestBackoffScales(t *testing.T) {
	f := failures{scale: 20}
	for range 3 {
		f.ended("s", 100*time.Millisecond)
	}
	if got := f.delay("s"); got != 100*time.Millisecond {
		t.Errorf("the third failure delays by %s at speed 20, want 100 ms", got)
	}
	f.ended("s", quickEnd/20)
	if got := f.delay("s"); got != 0 {
		t.Errorf("half a second at speed 20 is a full life, but the next task waits %s", got)
	}
}
