package live

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
)

// deadline is the longest wait for anything: a create whose answer was lost in
// a kill is settled within two minutes (contract.md, promise 3), and nothing
// else takes as long.
const deadline = 2 * time.Minute

var binary struct {
	once sync.Once
	path string
	err  error
	out  []byte
}

func TestMain(m *testing.M) {
	code := testdb.Run(m)
	if binary.path != "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

// build makes the binary once for all tests of the process.
func build(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		var dir string
		//nolint:usetesting // it outlives the test that happens to come first
		if dir, binary.err = os.MkdirTemp("", "closesync-live-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(dir, "closesync")
		binary.out, binary.err = exec.Command("go", "build", "-o", binary.path, "closesync/cmd/closesync").CombinedOutput()
	})
	require.NoError(t, binary.err, string(binary.out))
	return binary.path
}

// process is one run of the binary.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   io.Reader
	log   *buffer
	ended chan struct{} // closed when it was waited for
}

// buffer keeps what a process writes; safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start runs the binary with nothing of this process's settings but env. It
// is killed at the end of the test; its log is shown if the test failed.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startLogging(t, nil, env, args...)
}

// startLogging is start with a log of the test's own; nil for one that is read.
func startLogging(t *testing.T, log *os.File, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(build(t), args...), log: &buffer{}, ended: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cmd.Dir}, env...)
	p.cmd.Stderr = p.log
	if log != nil {
		p.cmd.Stderr = log
	}
	read, write := io.Pipe()
	p.cmd.Stdout, p.out = write, read
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // killed is how most of them end
		_ = write.Close()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", strings.Join(args, " "), lastLines(p.log.String(), 60))
		}
	})
	return p
}

// kill ends it as a power cut would.
func (p *process) kill() { p.end(syscall.SIGKILL) }

func (p *process) end(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.ended:
	case <-time.After(deadline):
		p.t.Errorf("process %d did not end", p.cmd.Process.Pid)
	}
}

// lines reads n lines of stdout, and the rest into nowhere.
func (p *process) lines(n int) []string {
	p.t.Helper()
	var list []string
	s := bufio.NewScanner(p.out)
	for len(list) < n && s.Scan() {
		list = append(list, s.Text())
	}
	require.Len(p.t, list, n, p.log.String())
	go func() { _, _ = io.Copy(io.Discard, p.out) }()
	return list
}

// command runs the binary to its end and gives its exit code.
func command(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	c := exec.CommandContext(ctx, build(t), args...)
	var out, log bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = t.TempDir(), &out, &log
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
	_ = c.Run() // the exit code says it
	return c.ProcessState.ExitCode(), out.String(), log.String()
}

func lastLines(text string, n int) string {
	list := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(list[max(0, len(list)-n):], "\n")
}
