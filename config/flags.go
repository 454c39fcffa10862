package config

import (
	"maps"
	"slices"
)

// Names of the flags that Load understands. There is none for a secret: other
// users of a machine can read the arguments of a process.
const (
	FlagConfig    = "config"
	FlagBaseURL   = "base-url"
	FlagListen    = "listen"
	FlagPublicURL = "public-url"
	FlagDataDir   = "data-dir"
	FlagLogLevel  = "log-level"
	FlagLogFormat = "log-format"
)

// flagLayer reads the flags that were set on the command line.
func flagLayer(args map[string]string, probs *problems) settings {
	var s settings
	targets := map[string]*setting{
		FlagConfig: nil, FlagBaseURL: &s.baseURL, FlagListen: &s.listen, FlagPublicURL: &s.publicURL,
		FlagDataDir: &s.dataDir, FlagLogLevel: &s.logLevel, FlagLogFormat: &s.logFormat,
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		pos := Position{File: "flag"}
		target, known := targets[name]
		if !known {
			probs.add(pos, "--"+name, "unknown flag", "")
			continue
		}
		if target != nil {
			*target = setting{value: args[name], key: "--" + name, pos: pos, given: true}
		}
	}
	return s
}
