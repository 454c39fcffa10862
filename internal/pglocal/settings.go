package pglocal

import (
	"maps"
	"slices"
	"strconv"
)

// durable suits a small machine that also runs the worker. A commit still
// waits for the disk: synchronous_commit stays on.
var durable = map[string]string{
	"shared_buffers":          "256MB",
	"max_wal_size":            "2GB",
	"wal_compression":         "on",
	"synchronous_commit":      "on",
	"max_connections":         "100",
	"checkpoint_timeout":      "15min",
	"timezone":                "UTC",
	"log_timezone":            "UTC",
	"log_min_messages":        "warning",
	"cluster_name":            "closesync",
	"jit":                     "off",
	"unix_socket_permissions": "0700",
}

// fastUnsafe is laid over durable for tests: a crash of the machine loses the
// cluster, and nobody minds.
var fastUnsafe = map[string]string{
	"fsync":              "off",
	"synchronous_commit": "off",
	"full_page_writes":   "off",
	"shared_buffers":     "64MB",
	"max_wal_size":       "1GB",
	"autovacuum":         "off",
}

// arguments is the server's command line. Settings travel as -c and never in
// postgresql.conf, so that an old folder gets the new program's settings.
func arguments(opts Options, cluster, socket string, port int) []string {
	set := maps.Clone(durable)
	if opts.FastUnsafe {
		maps.Copy(set, fastUnsafe)
	}
	set["port"] = strconv.Itoa(port)
	set["listen_addresses"] = ""
	if opts.Port != 0 || !socketsSupported {
		set["listen_addresses"] = "127.0.0.1"
	}
	if socketsSupported {
		set["unix_socket_directories"] = quoteListItem(socket)
	} else {
		delete(set, "unix_socket_permissions")
	}
	maps.Copy(set, opts.Settings)

	args := []string{"-D", cluster}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		args = append(args, "-c", name+"="+set[name])
	}
	return args
}

// quoteListItem protects a path with commas or blanks, since
// unix_socket_directories is a comma-separated list.
func quoteListItem(path string) string { return `"` + path + `"` }
