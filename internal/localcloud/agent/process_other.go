//go:build !linux

package agent

import "syscall"

// containerAttributes keep a terminal's Ctrl-C from the process.
func containerAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
