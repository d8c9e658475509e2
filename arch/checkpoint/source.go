package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"workbench/arch/files"
)

// source is the bytes of a file. They are read on demand and never mapped: a
// file that is truncated while open gives an error, and the bytes read do not
// count as resident memory of this program.
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

// fill reads len(b) bytes at offset at.
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

// bytes reads n bytes at offset at; it checks that they exist before it
// allocates memory.
func (s source) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > s.size-at {
		return nil, errShort
	}
	b := make([]byte, n)
	return b, s.fill(b, at)
}

var errShort = errors.New("cut short")

// cursor reads a source sequentially, little-endian, and keeps the first error.
type cursor struct {
	src source
	at  int64
	err error
	buf []byte // bytes read ahead, from at on
}

const readAhead = 1 << 14

// left is the number of bytes left.
func (c *cursor) left() int64 { return c.src.size - c.at }

// take returns the next n bytes, at most readAhead, valid until the next call;
// nil where there are fewer.
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

// skip skips n bytes.
func (c *cursor) skip(n int64) {
	switch {
	case c.err != nil:
	case n < 0 || n > c.left():
		c.err = errShort
	default:
		c.buf, c.at = c.buf[min(n, int64(len(c.buf))):], c.at+n
	}
}

// text returns the next n bytes as a string, at most limit.
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
