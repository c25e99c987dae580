package enginetest

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel end a process whose parent was killed.
func endWithParent(p *exec.Cmd) { p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
