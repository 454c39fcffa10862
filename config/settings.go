package config

// setting is one value with the place that gave it. Given is false for a
// default.
type setting struct {
	value string
	key   string
	pos   Position
	given bool
}

// over replaces s when n was given: the later layer wins.
func (s *setting) over(n setting) {
	if n.given {
		*s = n
	}
}

// settings are the values that more than one layer can give, before they are
// checked. Secrets and plain values are alike here; the type never leaves the
// package.
type settings struct {
	databaseURL, databaseURLFile setting
	webhookKey, webhookKeyFile   setting
	adminToken, adminTokenFile   setting
	listen, publicURL, dataDir   setting
	logLevel, logFormat          setting
	baseURL, apiKey              setting // from the environment only
}

// from reads text of the file as a setting.
func (s *setting) from(n node) {
	if !n.set() {
		return
	}
	before := len(n.probs.list)
	text := n.text()
	if len(n.probs.list) == before {
		*s = setting{value: text, key: n.key, pos: n.pos, given: true}
	}
}
