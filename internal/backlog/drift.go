package backlog

import "math"

// The factor between the mean durations of a period and those that targets are made for, up to which it is no drift:
// DriftLeast + DriftNoise / √n for n samples. DriftNoise is half the standard error of a mean of durations with a
// coefficient of variation of 1; five periods in a row, as the drift alarm wants them, are rarely on one side of it by
// chance.
const (
	DriftLeast = 1.05
	DriftNoise = 0.5
)

// DriftLimit is the factor by which the mean duration of so many samples may differ, up or down, from the one that
// targets are made for: at most widest, and less where many samples make the mean certain. With a widest of 1.5, 100
// samples allow 1.1, 10 allow 1.21, and one 1.5.
func DriftLimit(widest, samples float64) float64 {
	if !(samples > 0) {
		return widest
	}
	return min(widest, DriftLeast+DriftNoise/math.Sqrt(samples))
}

// Drifted tells on which side of a reference the mean duration of so many samples lies, both in the same unit: 1 above,
// -1 below, 0 within what they allow. tolerance is the widest, 0.5 for a factor of 1.5. What is not more than 0 is
// nothing measured, and nothing to compare with.
func Drifted(mean, reference, samples, tolerance float64) int {
	limit := DriftLimit(1+tolerance, samples)
	switch {
	case !(mean > 0) || !(reference > 0) || !(tolerance > 0):
		return 0
	case mean > reference*limit:
		return 1
	case mean < reference/limit:
		return -1
	}
	return 0
}
