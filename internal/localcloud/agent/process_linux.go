package agent

import "syscall"

// containerAttributes let the process end with this one whatever happens, and keep a terminal's Ctrl-C from it.
func containerAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
