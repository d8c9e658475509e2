package main

import (
	"bufio"
	"unicode/utf8"
)

// utf8Writer holds back a character that is not complete yet.
type utf8Writer struct {
	w    *bufio.Writer
	held []byte
}

func (u *utf8Writer) write(b []byte) error {
	u.held = append(u.held, b...)
	n := len(u.held)
	for back := 1; back <= min(3, len(u.held)); back++ {
		if c := u.held[len(u.held)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(u.held[len(u.held)-back:]) {
				n = len(u.held) - back
			}
			break
		}
	}
	if _, err := u.w.Write(u.held[:n]); err != nil {
		return err
	}
	u.held = append(u.held[:0], u.held[n:]...)
	return u.w.Flush()
}

func (u *utf8Writer) close() error {
	if _, err := u.w.Write(append(u.held, '\n')); err != nil {
		return err
	}
	return u.w.Flush()
}
