package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// FileName is the config file looked for in the working directory.
const FileName = "closesync.yaml"

// maxFile bounds the config file; a real one is a few kB.
const maxFile = 1 << 20

// Source is all that Load reads, so that a test can give it whole.
type Source struct {
	// Args holds the flags that were set, by the names of the Flag constants.
	Args map[string]string
	// Environ is in the form of os.Environ.
	Environ []string
	// Dir is the working directory; relative paths are taken from it. Empty
	// leaves them as they are.
	Dir string
	// ReadFile reads a file; nil is os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// Terminal says that logs go to a person, which makes text the default.
	Terminal bool
	// Root says that the process runs as root, which has no state directory
	// of its own that the embedded Postgres' user could enter.
	Root bool
}

// Load reads, merges and validates the settings. Its error is always *Error.
func Load(src Source) (*Config, error) {
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	l := loader{src: src, env: parseEnviron(src.Environ)}
	vars := readVariables(l.env, &l.probs)
	file := l.readFile(vars.Config)

	all := file.settings
	for _, layer := range []settings{vars.layer(), flagLayer(src.Args, &l.probs)} {
		all.databaseURL.over(layer.databaseURL)
		all.webhookKey.over(layer.webhookKey)
		all.adminToken.over(layer.adminToken)
		all.listen.over(layer.listen)
		all.publicURL.over(layer.publicURL)
		all.dataDir.over(layer.dataDir)
		all.logLevel.over(layer.logLevel)
		all.logFormat.over(layer.logFormat)
		all.baseURL.over(layer.baseURL)
		all.apiKey.over(layer.apiKey)
	}
	cfg := l.build(file, all)
	if err := l.probs.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

type loader struct {
	src   Source
	env   environ
	probs problems
	path  string // of the file that was read
}

// readFile reads the named config file, which must then exist, else the one in
// the working directory, if it does.
func (l *loader) readFile(fromEnv string) fileLayer {
	f := defaultFileLayer()
	name, pos, key := FileName, Position{}, ""
	if fromEnv != "" {
		name, pos, key = fromEnv, Position{File: "environment"}, "CLOSESYNC_CONFIG"
	}
	if v := l.src.Args[FlagConfig]; v != "" {
		name, pos, key = v, Position{File: "flag"}, "--"+FlagConfig
	}
	text, err := l.src.ReadFile(l.resolve(name))
	switch {
	case err == nil && len(text) > maxFile:
		l.probs.add(Position{File: name}, "", "is larger than 1 MiB", "is it the config file?")
	case err == nil:
		l.path = l.resolve(name)
		f.read(parseFile(name, text, &l.probs))
	case key == "" && errors.Is(err, fs.ErrNotExist):
	case key == "":
		l.probs.add(Position{File: name}, "", "cannot be read: "+cause(err), "")
	default:
		l.probs.add(pos, key, "the config file cannot be read: "+cause(err), "name a file that exists, or none")
	}
	return f
}

// resolve makes a path relative to the working directory of the source.
func (l *loader) resolve(path string) string {
	if l.src.Dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.src.Dir, path)
}

// cause is the reason of a file error without its path.
func cause(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return "reading failed"
}

// defaultDataDir is the user's state directory + closesync. Empty when the
// environment does not say where a home is.
func defaultDataDir(e environ, root bool) string {
	switch {
	case runtime.GOOS == "windows":
		return under(e["LOCALAPPDATA"], "closesync")
	case root:
		return "/var/lib/closesync"
	case e["XDG_STATE_HOME"] != "" && filepath.IsAbs(e["XDG_STATE_HOME"]):
		return under(e["XDG_STATE_HOME"], "closesync")
	case runtime.GOOS == "darwin":
		return under(e["HOME"], "Library", "Application Support", "closesync")
	}
	return under(e["HOME"], ".local", "state", "closesync")
}

func under(dir string, names ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, names...)...)
}
