package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"workbench/arch/files"
)

// source is the bytes of a file. They are read where they are wanted and never
// mapped: a file that is cut while it is open gives an error, and what has
// been read is not counted as this program's memory.
type source struct {
	io.ReaderAt
	size int64
}

// openSource opens a regular file.
func openSource(path string) (*os.File, source, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, source{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, source{}, err
	}
	return f, source{f, info.Size()}, nil
}

var errCut = errors.New("the file has become shorter since it was opened")

// fill reads len(b) bytes at that place.
func (s source) fill(b []byte, at int64) error {
	n, err := s.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return errCut
	}
	return err
}

// bytes reads n bytes at that place, which are checked to be there before
// memory is taken for them.
func (s source) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > s.size-at {
		return nil, errShort
	}
	b := make([]byte, n)
	return b, s.fill(b, at)
}

var errShort = errors.New("cut short")

// cursor reads a source in order, little-endian, and keeps the first trouble.
type cursor struct {
	src source
	at  int64
	err error
	buf []byte // what has been read ahead, from at on
}

const readAhead = 1 << 14

// left is how many bytes follow.
func (c *cursor) left() int64 { return c.src.size - c.at }

// take is the next n bytes, good until the next call, nil where they are not
// there. n is at most readAhead.
func (c *cursor) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || int64(n) > c.left() {
		c.err = errShort
		return nil
	}
	if n > len(c.buf) {
		size := min(readAhead, c.left())
		if int64(cap(c.buf)) < size {
			c.buf = make([]byte, readAhead)
		}
		c.buf = c.buf[:cap(c.buf)][:size]
		if c.err = c.src.fill(c.buf, c.at); c.err != nil {
			return nil
		}
	}
	b := c.buf[:n]
	c.buf, c.at = c.buf[n:], c.at+int64(n)
	return b
}

// skip passes over n bytes.
func (c *cursor) skip(n int64) {
	switch {
	case c.err != nil:
	case n < 0 || n > c.left():
		c.err = errShort
	default:
		c.buf, c.at = c.buf[min(n, int64(len(c.buf))):], c.at+n
	}
}

// text is the next n bytes as a string, at most limit of them.
func (c *cursor) text(n uint64, limit int64) string {
	if c.err == nil && (n > uint64(limit) || int64(n) > c.left()) {
		c.err = fmt.Errorf("a text of %d bytes where %d are left", n, c.left())
	}
	if c.err != nil {
		return ""
	}
	if n <= readAhead {
		return string(c.take(int(n)))
	}
	b, err := c.src.bytes(c.at, int64(n))
	c.err = err
	c.skip(int64(n))
	return string(b)
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
