package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/consumer/sqstest"
)

// buildWorker builds the worker as the image holds it.
func buildWorker(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "worker")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return path
}

// benchStage starts the worker with 32 slots and a server that counts only.
func benchStage(b *testing.B, path string) (*sqstest.Server, *exec.Cmd) {
	b.Helper()
	server := sqstest.Serve("jobs", "jobs-dead")
	b.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c := exec.CommandContext(b.Context(), path)
	c.Env = []string{
		"QUEUE_URL=" + server.Queue("jobs"), "WORKER_CONCURRENCY=32", "METRIC_PERIOD_SECONDS=1", "LOG_LEVEL=ERROR",
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
	}
	return server, c
}

// BenchmarkStart shows how long it takes from the start of the process to its first receive.
func BenchmarkStart(b *testing.B) {
	path := buildWorker(b)
	var total, worst time.Duration
	for range b.N {
		server, c := benchStage(b, path)
		first := make(chan time.Time, 100)
		server.SQS.Fault = func(sqstest.Call) sqstest.Fault { first <- time.Now(); return sqstest.Fault{} }
		server.SQS.Send(server.Queue("jobs"), sqstest.Message{Body: `{"duration":0}`})
		begin := time.Now()
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		took := (<-first).Sub(begin)
		total, worst = total+took, max(worst, took)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "ms-to-first-receive")
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
}

// BenchmarkMemory shows the resident memory of the worker's process after 10 %, half and all of a million messages;
// run it with -benchtime 1x. WORKER_BENCH_MESSAGES changes how many.
func BenchmarkMemory(b *testing.B) {
	n := 1000000
	if text := os.Getenv("WORKER_BENCH_MESSAGES"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	path := buildWorker(b)
	for range b.N {
		server, c := benchStage(b, path)
		server.SQS.Lean()
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		begin, sent, done := time.Now(), 0, 0
		for _, part := range []float64{0.1, 0.5, 1} {
			for done < int(part*float64(n)) {
				for ; sent < n && sent < done+5000; sent++ {
					server.SQS.Send(server.Queue("jobs"), sqstest.Message{Body: `{"id":"x","duration":0}`})
				}
				time.Sleep(10 * time.Millisecond)
				_, _, done = server.SQS.Count(server.Queue("jobs"))
			}
			b.ReportMetric(resident(b, c.Process.Pid, "VmRSS"), fmt.Sprintf("MiB-after-%v%%", 100*part))
		}
		b.ReportMetric(resident(b, c.Process.Pid, "VmHWM"), "MiB-peak")
		b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "msg/s")
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	b.ReportMetric(0, "ns/op")
}

// resident reads a line of a process's memory figures.
func resident(b *testing.B, pid int, line string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), line+":")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		b.Fatal(err)
	}
	return kB / 1024
}
