//go:build !linux

package experiments

import "syscall"

// dieWithParent has no means here: a child ends when its input does.
func dieWithParent() *syscall.SysProcAttr { return nil }
