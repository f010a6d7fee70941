//go:build unix

package ministack

import (
	"os"
	"syscall"
)

// groupAttributes give the child a process group of its own: a Ctrl-C at the terminal reaches this process alone,
// which then stops the child in order.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// killGroup ends whatever is left of the child's process group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// signaled tells whether a signal ended the process.
func signaled(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}
