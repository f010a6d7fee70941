package agent

import (
	"context"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// command is what a container runs.
type command struct {
	args []string // args[0] is a file on this machine
	env  []string
	dir  string
}

// process is a running command.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func startProcess(c command, output io.Writer) (*process, error) {
	cmd := c.build(output)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its result is in ProcessState
		p.signal(syscall.SIGKILL)
		close(p.done)
	}()
	return p, nil
}

func (c command) build(output io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), c.args[0], c.args[1:]...) // ended by signals, in order
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = containerAttributes()
	cmd.WaitDelay = time.Second // for children that hold the output open
	return cmd
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal reaches the process and its children. The group is gone when it returns an error, which is as good.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.pid(), s) }

// terminate sends SIGTERM, after the timeout SIGKILL, and returns when the process has ended.
func (p *process) terminate(timeout time.Duration) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// exitCode is the code that a container runtime reports: 128 + signal for a process that a signal ended.
func (p *process) exitCode() int {
	<-p.done
	state := p.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
