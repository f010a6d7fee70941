// Package localcloud is AWS on one machine, for running and testing the whole system without an account and without
// Docker. It starts the emulator MiniStack and adds what no emulator has:
//
//	                 one endpoint (proxy.go, routing.go)
//	                 |- application-autoscaling -> package autoscaling: policies that are really evaluated
//	clients ---------|- monitoring (CloudWatch) -> package monitoring: metric math, alarms, AWS/SQS metrics
//	(SDK, CLI, sam,  |- everything else         -> package ministack: the emulator, in a child process
//	 Lambdas,        |                                 | CloudFormation types it lacks: package resources
//	 workers)        |                                 | tasks to run: package agent, one worker process each
//
// IAM is on for all of it: see package iam. Tools come from package toolchain. Everything is written below
// <checkout>/.local, and Close leaves no process behind.
//
// A scaled world (Config.Speed) lets the engine's own clocks run faster: start-up of tasks, rates of rules and
// schedules, waits of state machines, periods of metrics. What the system itself takes as a parameter is scaled by who
// deploys it.
package localcloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/agent"
	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
	"sqs-dynamic-target-tracking/internal/localcloud/resources"
	"sqs-dynamic-target-tracking/internal/localcloud/toolchain"
)

// Config says what to start. The zero value of every field but Root is useful.
type Config struct {
	// Root is the checkout; state, tools and logs live in Root/.local.
	Root string
	// Port of the endpoint on 127.0.0.1; 0 is any free one.
	Port int
	// Speed is how many times as fast as real time the engine's own clocks run; 0 means 1.
	Speed float64
	// StartupDelay is how long a task is PENDING before its process starts, before scaling by Speed. Fargate needs 20
	// to 70 s, most of it for the image; 0 means none.
	StartupDelay time.Duration
	// MetricDelay is how long after its end a sampled datapoint (AWS/SQS, ECS/ContainerInsights) can first be read,
	// before scaling by Speed; 0 means one minute, negative none.
	MetricDelay time.Duration
	// SFNWaitScale multiplies the waits and retry delays of state machines; 0 means 1/Speed.
	SFNWaitScale float64
	// Log receives what the engine has to say; nil discards it.
	Log *slog.Logger
	// Progress gets one line for each step that takes time, for people. It may be nil.
	Progress func(string)
}

func (c Config) withDefaults() (Config, error) {
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return c, fmt.Errorf("root %q: %w", c.Root, err)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return c, fmt.Errorf("root %s is not a folder", root)
	}
	c.Root = root
	if c.Speed < 0 || c.StartupDelay < 0 || c.SFNWaitScale < 0 {
		return c, fmt.Errorf("speed %g, start-up delay %s and wait scale %g must not be negative",
			c.Speed, c.StartupDelay, c.SFNWaitScale)
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.SFNWaitScale == 0 {
		c.SFNWaitScale = 1 / c.Speed
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, nil
}

// Cloud is a running engine.
type Cloud struct {
	config   Config
	dir      string // of this run
	endpoint string
	client   *http.Client
	tools    toolchain.Env
	emulator *ministack.Process
	proxy    *proxy
	agent    *agent.Agent

	monitoring  *monitoring.Server
	autoscaling *autoscaling.Server

	mu      sync.Mutex
	closers []func() // in the order of opening; run backwards
	closed  bool
}

// Start starts the engine. It installs the pinned tools when they are missing. The context bounds the start only: the
// engine runs until Close, or until the emulator dies (see Failed).
func Start(ctx context.Context, config Config) (_ *Cloud, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cloud{config: config, client: newHTTPClient()}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	listener, err := listen(config.Port)
	if err != nil {
		return nil, err
	}
	c.atClose(func() { _ = listener.Close() })
	c.endpoint = "http://" + listener.Addr().String()
	local := filepath.Join(config.Root, ".local")
	c.tools, err = toolchain.Toolchain{Dir: local, Progress: config.Progress}.Ensure(ctx, toolchain.Engine)
	if err != nil {
		return nil, err
	}
	if err := c.writeTools(); err != nil {
		return nil, err
	}
	c.dir, err = makeRunDir(local)
	if err != nil {
		return nil, err
	}
	c.atClose(func() { clearRunDir(c.dir) })
	config.Progress("starting the emulator")
	if err := c.startParts(ctx, listener); err != nil {
		return nil, err
	}
	return c, nil
}

// startParts starts everything that needs the endpoint's address. What depends on others is started after them, and so
// closed before them.
func (c *Cloud) startParts(ctx context.Context, listener net.Listener) error {
	parts := &hooks{resources: resources.New(c.AWSConfig())}
	if err := c.startEmulator(ctx, listener.Addr().(*net.TCPAddr).Port, parts); err != nil {
		return err
	}
	c.serve(listener)
	if err := c.startAgent(parts); err != nil {
		return err
	}
	c.startServices()
	return nil
}

func (c *Cloud) startEmulator(ctx context.Context, port int, parts *hooks) (err error) {
	c.emulator, err = ministack.Start(ctx, ministack.Config{
		Python:        c.tools.Path("python"),
		Dir:           c.dir,
		PublicPort:    port,
		Speed:         c.config.Speed,
		SFNWaitScale:  c.config.SFNWaitScale,
		ResourceTypes: resources.Types(),
		Hooks:         parts,
	})
	if err != nil {
		return err
	}
	c.atClose(func() {
		if err := c.emulator.Close(); err != nil {
			c.config.Log.Warn("closing the emulator", "error", err)
		}
	})
	return nil
}

func (c *Cloud) serve(listener net.Listener) {
	c.proxy = newProxy(c.emulator.URL(), c.config.Log)
	c.proxy.identify, c.proxy.policies = c.emulator.Identify, c.emulator
	c.proxy.sqs.giveBack = func(ctx context.Context, queueURL string, receipts []string) {
		if err := c.emulator.GiveBack(ctx, queueURL, receipts); err != nil {
			c.config.Log.Warn("a message that nobody received stays in flight", "queue", queueURL, "error", err)
		}
	}
	server := &http.Server{Handler: c.proxy, ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(c.config.Log.Handler(), slog.LevelDebug)}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.config.Log.Error("the endpoint ended", "error", err)
		}
	}()
	c.atClose(func() { _ = server.Close() })
}

// Failed is closed when the emulator has ended; Err then says why in one line, unless it was Close.
func (c *Cloud) Failed() <-chan struct{} { return c.emulator.Done() }

// Err is the reason of a failure of the running engine, or nil.
func (c *Cloud) Err() error { return c.emulator.Err() }

// Dir is the folder of this run: logs of the emulator and of the tasks.
func (c *Cloud) Dir() string { return c.dir }

// atClose registers what Close does; the last registered is done first.
func (c *Cloud) atClose(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, f)
}

// Close stops every process of the engine and returns when none is left. It may be called twice.
func (c *Cloud) Close() error {
	c.mu.Lock()
	closers := c.closers
	c.closers, c.closed = nil, true
	c.mu.Unlock()
	for i := len(closers) - 1; i >= 0; i-- {
		closers[i]()
	}
	c.client.CloseIdleConnections()
	return nil
}
