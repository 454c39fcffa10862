package pglocal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// fastShutdown goes through pg_ctl, which knows how to signal on Windows.
func (s *Server) fastShutdown(*exec.Cmd) { s.pgCtlStop("fast") }

// immediateShutdown ends it like a crash; the next start recovers.
func (s *Server) immediateShutdown(*exec.Cmd) { s.pgCtlStop("immediate") }

func (s *Server) pgCtlStop(mode string) {
	cmd := exec.Command(s.bin.path("pg_ctl"), "stop", "-W", "-D", s.at.cluster, "-m", mode)
	cmd.Env = serverEnv(s.bin)
	_ = cmd.Run()
}

// dieWithParent is guard's work on Windows.
func dieWithParent(*exec.Cmd) {}

// guard puts the server into a job object that ends with our last handle to
// it, that is, with this process. The end is like a crash, which Postgres
// recovers from.
func guard(cmd *exec.Cmd) func() {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return func() {}
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		var process windows.Handle
		process, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
		if err == nil {
			_ = windows.AssignProcessToJobObject(job, process)
			_ = windows.CloseHandle(process)
		}
	}
	return func() { _ = windows.CloseHandle(job) }
}

// leftoverProcesses is the process postmaster.pid names, if it is a postgres.
func leftoverProcesses(cluster string) []int {
	p, ok := readPostmaster(cluster)
	if !ok {
		return nil
	}
	out, err := exec.Command("tasklist", "/fo", "csv", "/nh", "/fi", fmt.Sprintf("PID eq %d", p.pid)).Output()
	if err != nil || !strings.Contains(string(out), "postgres.exe") || !strings.Contains(string(out), strconv.Itoa(p.pid)) {
		return nil
	}
	return []int{p.pid}
}

func endLeftovers(_ string, pids []int, _ bool) {
	for _, pid := range pids {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

func processLives(pid int) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return false
	}
	_ = windows.CloseHandle(h)
	return true
}

// identity is always the user's own on Windows.
type identity struct{}

func identityFor(string) (identity, error) { return identity{}, nil }

func (identity) own(string) error { return nil }

func (identity) apply(*exec.Cmd) {}

func (identity) makeDir(dir string, mode os.FileMode) error { return os.MkdirAll(dir, mode) }

// reach holds how the server names the folders it is given.
type reach struct {
	paths []string
	files []*os.File
}

func (reach) close() {}

func (identity) reach(dirs ...string) (reach, error) { return reach{paths: dirs}, nil }

func runsAsRoot() bool { return false }

func syncDir(string) error { return nil }

func stateDir() (string, error) {
	dir, err := os.UserCacheDir() // %LocalAppData%
	return filepath.Join(dir, "closesync"), err
}
