// Package ministack starts the AWS emulator MiniStack (ministack on PyPI) as a child process and talks
// with it. The Python files under launcher are part of this package: they run MiniStack in the same process and add
// what it lacks. See launcher/__main__.py for what they do.
//
//	Go process                          Python process
//	Start      --- settings (stdin) -->  launcher -> MiniStack on a loopback port
//	Process.X  --- POST /_localcloud/x ->  IAM questions, task states, events
//	Hooks.X    <-- POST /_localcloud/x ---  CloudFormation resources, tasks to start and stop
//
// The Python process ends with this one however that ends, because its standard input then closes.
package ministack

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed launcher/*.py
var launcher embed.FS

// Account and Region of everything that lives in the emulator.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// Config says how to run the emulator.
type Config struct {
	// Python is the interpreter of an environment with ministack, cbor2 and hypercorn.
	Python string
	// Dir gets the launcher, the log and temporary files. It must exist.
	Dir string
	// PublicPort is the port of 127.0.0.1 where clients reach the emulator, which is a proxy's: queue URLs have it.
	PublicPort int
	// Speed is how many times as often rules and schedules with a rate fire; 0 means 1.
	Speed float64
	// SFNWaitScale multiplies the waits and retry delays of state machines (not their timeouts); 0 means 1.
	SFNWaitScale float64
	// ResourceTypes are the CloudFormation types that Hooks.Resource makes instead of the emulator.
	ResourceTypes []string
	// Hooks is called by the emulator, from several goroutines.
	Hooks Hooks
}

// Process is a running emulator.
type Process struct {
	address string // host:port of the emulator itself
	token   string
	logPath string
	client  *http.Client
	hooks   *http.Server
	cmd     *exec.Cmd
	stdin   io.Closer

	done    chan struct{} // closed when the process has ended
	mu      sync.Mutex
	closing bool
}

// startTimeout bounds the start, which takes 2 to 3 s on two cores.
const startTimeout = 60 * time.Second

// Start runs the emulator and waits until it answers.
func Start(ctx context.Context, c Config) (_ *Process, err error) {
	dir, err := writeLauncher(c.Dir)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &Process{
		address: address,
		token:   newToken(),
		logPath: filepath.Join(c.Dir, "ministack.log"),
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		done:    make(chan struct{}),
	}
	hooksAddress, err := p.serveHooks(c.Hooks)
	if err != nil {
		return nil, err
	}
	if err := p.launch(c, dir, hooksAddress); err != nil {
		_ = p.hooks.Close()
		return nil, err
	}
	if err := p.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// URL is where the emulator itself listens, for the proxy in front of it.
func (p *Process) URL() *url.URL { return &url.URL{Scheme: "http", Host: p.address} }

// Done is closed when the process has ended, wanted or not.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says in one line why a process has ended that nobody closed; nil while it runs and after Close.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return nil
	}
	if signaled(p.cmd.ProcessState) { // whatever it logged last has nothing to do with that
		return fmt.Errorf("the emulator (MiniStack) was ended from outside (%s); its log: %s",
			p.cmd.ProcessState, p.logPath)
	}
	return fmt.Errorf("the emulator (MiniStack) ended unexpectedly (%s): %s; its log: %s",
		p.cmd.ProcessState, lastLogLine(p.logPath), p.logPath)
}

// Close stops the process and everything that it started, and returns when they are gone.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	killGroup(p.cmd.Process.Pid) // Lambda functions that outlived it
	<-p.done
	p.client.CloseIdleConnections()
	return p.hooks.Close()
}

func (p *Process) launch(c Config, dir, hooksAddress string) error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the emulator's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	temporary := filepath.Join(c.Dir, "tmp")
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return fmt.Errorf("make the emulator's temporary folder: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), c.Python, dir) // ended by Close, in order
	cmd.Dir = c.Dir
	cmd.Env = environ(c, temporary)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = groupAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("pipe to the emulator: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the emulator: %w", err)
	}
	p.cmd, p.stdin = cmd, stdin
	go func() {
		_ = cmd.Wait() // its result is in ProcessState
		close(p.done)
	}()
	settings := map[string]any{
		"bind": p.address, "goAddress": hooksAddress, "token": p.token,
		"speed": orOne(c.Speed), "resourceTypes": append([]string{}, c.ResourceTypes...),
	}
	if err := json.NewEncoder(stdin).Encode(settings); err != nil {
		return fmt.Errorf("write the emulator's settings: %w", err)
	}
	return nil
}

// environ is all that the emulator sees of the world: its Lambda functions inherit it.
func environ(c Config, temporary string) []string {
	endpoint := "http://127.0.0.1:" + strconv.Itoa(c.PublicPort)
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + c.Dir,
		"TMPDIR=" + temporary,
		"LANG=C.UTF-8",
		"PYTHONDONTWRITEBYTECODE=1",
		"BIND_HOST=127.0.0.1",
		"MINISTACK_HOST=127.0.0.1",
		"GATEWAY_PORT=" + strconv.Itoa(c.PublicPort),
		"AWS_ENDPOINT_URL=" + endpoint,
		"AWS_EC2_METADATA_DISABLED=true",
		"MINISTACK_REGION=" + Region,
		"MINISTACK_ACCOUNT_ID=" + Account,
		"AUTH=true",
		"IOT_MTLS_ENABLED=0",
		"SFTP_ENABLED=0",
		"LOG_LEVEL=WARNING",
		"SFN_WAIT_SCALE=" + strconv.FormatFloat(orOne(c.SFNWaitScale), 'g', -1, 64),
	}
}

func (p *Process) awaitHealth(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, startTimeout)
	defer cancel()
	health := p.URL().JoinPath("/_ministack/health").String()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, health, nil)
		if err != nil {
			return fmt.Errorf("ask for the emulator's health: %w", err)
		}
		if resp, err := p.client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return p.Err()
		case <-parent.Done():
			return fmt.Errorf("start the emulator: %w", parent.Err())
		case <-ctx.Done():
			return fmt.Errorf("the emulator (MiniStack) did not answer: %w; its log: %s", ctx.Err(), p.logPath)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// writeLauncher puts the embedded Python files into a folder that Python can run.
func writeLauncher(parent string) (string, error) {
	dir := filepath.Join(parent, "launcher")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the launcher's folder: %w", err)
	}
	err := fs.WalkDir(launcher, "launcher", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := launcher.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, entry.Name()), text, 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("write the launcher: %w", err)
	}
	return dir, nil
}

func freeAddress() (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func orOne(f float64) float64 {
	if f == 0 {
		return 1
	}
	return f
}

// lastLogLine is the last line of a log, which for a Python program that died is its exception.
func lastLogLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if last := strings.TrimSpace(string(lines[len(lines)-1])); last != "" {
		return last
	}
	return "its log is empty"
}
