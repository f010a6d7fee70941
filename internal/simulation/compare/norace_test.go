//go:build !race

package compare

// raced tells that the race detector is on: the long tests have one goroutine's work to do and are left out.
const raced = false
