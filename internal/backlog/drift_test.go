package backlog

import (
	"math"
	"testing"
)

func TestDriftLimit(t *testing.T) {
	for _, test := range []struct{ widest, samples, want float64 }{
		{1.5, 0, 1.5}, {1.5, 1, 1.5}, {1.5, 1.2345, 1.5}, {1.5, 4, 1.3}, {1.5, 25, 1.15}, {1.5, 100, 1.1},
		{1.5, 1e6, 1.0505}, {1.1, 4, 1.1}, {4, 1, 1.55}, {1.5, math.NaN(), 1.5},
	} {
		if got := DriftLimit(test.widest, test.samples); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%g samples allow a factor of %g, want %g", test.samples, got, test.want)
		}
	}
}

func TestDrifted(t *testing.T) {
	for _, test := range []struct {
		mean, samples float64
		want          int
	}{
		{5, 100, 0}, {5.45, 100, 0}, {5.55, 100, 1}, {5.55, 10, 0}, {7.6, 1, 1}, {4.5, 100, -1},
		{4.6, 100, 0}, {0, 100, 0},
	} {
		if got := Drifted(test.mean, 5, test.samples, 0.5); got != test.want {
			t.Errorf("%g of %g samples to 5: %d, want %d", test.mean, test.samples, got, test.want)
		}
	}
	if Drifted(9, 0, 100, 0.5) != 0 || Drifted(9, 5, 100, 0) != 0 {
		t.Error("without a reference or a tolerance there is no drift")
	}
}
