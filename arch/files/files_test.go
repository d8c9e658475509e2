package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestCreateIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Create(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("new", 1<<20))
		return broken
	})
	if !errors.Is(err, broken) || content(t, path) != "old" || names(t, dir) != "a.json" {
		t.Errorf("a write that failed: %v, the file holds %q, the folder %s", err, content(t, path), names(t, dir))
	}
	if err := Write(path, []byte("new")); err != nil || content(t, path) != "new" || names(t, dir) != "a.json" {
		t.Errorf("%v, the file holds %q, the folder %s", err, content(t, path), names(t, dir))
	}
}

func TestCreateKeepsTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteNewHasOneWinner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	var wait sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wait.Go(func() { errs[i] = WriteNew(path, []byte(fmt.Sprint(i))) })
	}
	wait.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Errorf("%d and %d both made the file", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if content(t, path) != fmt.Sprint(won) || names(t, dir) != "a.json" {
		t.Errorf("%d made the file, which holds %s; the folder holds %s", won, content(t, path), names(t, dir))
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, make([]byte, 100), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(path, 100); err != nil || len(b) != 100 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := Read(path, 99); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("100 bytes with a limit of 99: %v", err)
	}
}

func TestOtherKindsAreRefused(t *testing.T) {
	for path, what := range map[string]string{t.TempDir(): "a folder", os.DevNull: "a device"} {
		_, err := Read(path, 1)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Read(%s): %v", path, err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
}

// TestPipeWithoutWriter checks that such a pipe is not waited for: a waiting
// process could not be interrupted.
func TestPipeWithoutWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", path).Run(); err != nil {
		t.Skip("no mkfifo here")
	}
	if b, err := Read(path, 10); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "a pipe") {
		t.Errorf("Open: %v", err)
	}
}

// TestMain lets the test binary run as a process that claims a folder.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CLAIM"); dir != "" {
		if _, err := Claim(dir, "test holder"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("claimed")
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

func TestClaimIsRefusedWhileTheOwnerLives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), "CLAIM="+dir)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer owner.Process.Kill()
	said := make([]byte, 7)
	if _, err := io.ReadFull(out, said); err != nil || !bytes.Equal(said, []byte("claimed")) {
		t.Fatalf("%q, %v", said, err)
	}
	_, err = Claim(dir, "second")
	var used *InUse
	if !errors.As(err, &used) || used.Owner.PID != owner.Process.Pid || !strings.Contains(err.Error(), "test holder") {
		t.Fatalf("a folder in use by process %d: %v", owner.Process.Pid, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".session.safetensors123"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait()
	f, err := Claim(dir, "second")
	if err != nil {
		t.Fatalf("after the owner was killed: %v", err)
	}
	if got := names(t, dir); got != ".hidden .lock" {
		t.Errorf("the folder holds %s", got)
	}
	f.Release()
	if got := names(t, dir); got != ".hidden" {
		t.Errorf("after Release the folder holds %s", got)
	}
}

func TestReleaseRemovesOnlyWhatClaimMade(t *testing.T) {
	dir := t.TempDir()
	own, theirs := filepath.Join(dir, "new"), filepath.Join(dir, "theirs")
	if err := os.Mkdir(theirs, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{own, theirs} {
		f, err := Claim(d, "test")
		if err != nil {
			t.Fatal(err)
		}
		if empty, err := Empty(d); err != nil || !empty {
			t.Errorf("%s: %v, %v", d, empty, err)
		}
		f.Release()
	}
	if got := names(t, dir); got != "theirs" {
		t.Errorf("left: %s", got)
	}
}

func TestClaimsTakeTurns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var inside, wait = make(chan struct{}, 1), sync.WaitGroup{}
	for range 8 {
		wait.Go(func() {
			for range 50 {
				f, err := Claim(dir, "test")
				if errors.As(err, new(*InUse)) || errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case inside <- struct{}{}:
					<-inside
				default:
					t.Error("two owners at once")
				}
				f.Release()
			}
		})
	}
	wait.Wait()
}
