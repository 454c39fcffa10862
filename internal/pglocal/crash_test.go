//go:build unix

package pglocal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// childEnv makes the test binary act as a worker that owns a server.
const childEnv = "PGLOCAL_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		s, err := Start(context.Background(), options(dir))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		p, _ := readPostmaster(s.at.cluster)
		fmt.Println("ready", p.pid)
		select {}
	}
	os.Exit(m.Run())
}

func TestFault_KillOfTheParent_LeavesNoOrphanInTheWay(t *testing.T) {
	dir := t.TempDir()
	first := start(t, options(dir))
	cluster := first.at.cluster
	first.Stop()

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	word, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	require.Equal(t, "ready", word, line)
	orphan, err := strconv.Atoi(number)
	require.NoError(t, err)
	require.True(t, processLives(orphan))

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	if runtime.GOOS == "linux" {
		require.Eventually(t, func() bool { return len(leftoverProcesses(cluster)) == 0 },
			20*time.Second, 20*time.Millisecond, "the server must end by itself")
	}
	s := start(t, options(dir))
	require.Equal(t, "up", query(t, s, "SELECT 'up'"))
	p, _ := readPostmaster(s.at.cluster)
	require.NotEqual(t, orphan, p.pid)
}

// On a machine without the parent death signal, or when it came too late, the
// next start meets a server that is alive.
func TestFault_LivingOrphan_IsEndedByTheNextStart(t *testing.T) {
	owner := start(t, options(t.TempDir()))
	owner.Stop()
	log, err := openLog(owner.at.log)
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	orphan, reach, err := owner.command(log)
	require.NoError(t, err)
	defer reach.close()
	require.NoError(t, orphan.Start())
	go func() { _ = orphan.Wait() }()
	require.Eventually(t, func() bool { return answers(context.Background(), owner.DSN(Database)) },
		20*time.Second, 20*time.Millisecond)

	next := start(t, options(owner.at.dir))
	require.Equal(t, "up", query(t, next, "SELECT 'up'"))
	after, _ := readPostmaster(next.at.cluster)
	require.NotEqual(t, orphan.Process.Pid, after.pid)
}

func TestFault_KillOfPostgres_StartsItAgain(t *testing.T) {
	s := start(t, options(t.TempDir()))
	p, ok := readPostmaster(s.at.cluster)
	require.True(t, ok)
	require.NoError(t, syscall.Kill(p.pid, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		now, ok := readPostmaster(s.at.cluster)
		return ok && now.pid != p.pid && answers(context.Background(), s.DSN(Database))
	}, 30*time.Second, 50*time.Millisecond)
}

func TestFault_PostmasterPidOfAStranger_DoesNotBlock(t *testing.T) {
	dir := t.TempDir()
	s := start(t, options(dir))
	s.Stop()
	// After a reboot the number may belong to anybody; here it is our own.
	text := fmt.Sprintf("%d\n%s\n0\n5432\n\n\n\n\n", os.Getpid(), s.at.cluster)
	file := filepath.Join(s.at.cluster, "postmaster.pid")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.Equal(t, "up", query(t, start(t, options(dir)), "SELECT 'up'"))
}

func TestFault_KilledInitdb_IsDoneAgain(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, initPrefix+"1")
	require.NoError(t, os.Mkdir(half, 0o700))
	require.Equal(t, "up", query(t, start(t, options(dir)), "SELECT 'up'"))
}

func TestWatchdog_ActsOnlyWhenItsOwnerIsGone(t *testing.T) {
	sleeper := func() *exec.Cmd {
		cmd := exec.Command("sleep", "60")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}

	spared := sleeper()
	watchdog(spared.Process.Pid)()
	require.NoError(t, spared.Process.Signal(syscall.Signal(0)), "a dismissed watchdog harms nobody")

	ended := sleeper()
	pipe, shell, err := watch(ended.Process.Pid)
	require.NoError(t, err)
	require.NoError(t, pipe.Close()) // as the kernel does for a killed owner
	require.NoError(t, shell.Wait())
	require.ErrorContains(t, ended.Wait(), "interrupt")
}
