package experiments

import "syscall"

// dieWithParent makes a child end with the program, also when that is killed,
// and keeps a terminal's Ctrl-C from it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
