//go:build unix

package ministack

import "syscall"

// groupAttributes give the child a process group of its own: a Ctrl-C at the terminal reaches this process alone,
// which then stops the child in order.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// killGroup ends whatever is left of the child's process group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
