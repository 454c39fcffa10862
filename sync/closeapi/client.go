package closeapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultBaseURL is where Close answers.
// Source: developer.close.com/api/overview.
const DefaultBaseURL = "https://api.close.com/api/v1/"

// MaxBodyBytes caps an answer's body, counted after decompression.
const MaxBodyBytes = 64 << 20

const (
	defaultTimeout     = 30 * time.Second
	defaultSlowTimeout = 60 * time.Second
	idleConnsPerHost   = 64
)

// Options configure a [Client]. Only Key is required.
type Options struct {
	// BaseURL is the address of the API; empty means [DefaultBaseURL].
	// Only https is accepted, except for a loopback host.
	BaseURL string
	// Key is the API key, sent as the user name of HTTP Basic.
	Key Secret
	// HTTPClient sends the requests; nil means one with safe limits and 64
	// kept connections. Redirects are never followed, whatever it says.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits for d or until ctx ends; nil means a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Rand gives numbers in [0,1) for jitter; nil means math/rand/v2.
	Rand func() float64
	// UserAgent names the program; empty means "closeapi".
	UserAgent string
	// ReservePercent of each announced limit is left to other programs.
	// 0 to 90; zero leaves nothing.
	ReservePercent int
	// Timeout is the deadline of one attempt; zero means 30 seconds.
	Timeout time.Duration
	// SlowTimeout is the same for search and lead lists; zero means 60.
	SlowTimeout time.Duration
	// Observe is called after each attempt, from many goroutines at once.
	Observe func(Call)
	// Logger receives retries and oddities; nil discards them.
	Logger *slog.Logger
}

// Call describes one attempt, for metrics and logs. It carries no contents.
type Call struct {
	Method, Path string
	Group        string        // endpoint group, e.g. "GET lead"
	Status       int           // 0 when no answer came
	Duration     time.Duration // from sending to the end of the body
	Attempt      int           // 1 for the first
	Err          error         // nil for a usable answer
}

// Client talks to one Close organization. Make it with [New].
type Client struct {
	base  *url.URL
	http  *http.Client
	auth  string
	opt   Options
	gates sync.Map // group -> *gate

	warnHeader sync.Once
	date       atomic.Pointer[time.Time] // of the last answer
	pageSize   atomic.Int64              // bytes of the last page
}

// LastDate is the Date of the newest answer, to the second and in Close's
// time; zero before the first.
func (c *Client) LastDate() time.Time {
	if t := c.date.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

func (c *Client) noteDate(h http.Header) {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		t = t.UTC()
		c.date.Store(&t)
	}
}

// New checks o and returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if o.Key == "" {
		return nil, errors.New("closeapi: Options.Key is empty")
	}
	if strings.ContainsFunc(o.Key.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return nil, errors.New("closeapi: Options.Key has characters no API key has")
	}
	if o.ReservePercent < 0 || o.ReservePercent > 90 {
		return nil, fmt.Errorf("closeapi: Options.ReservePercent is %d, want 0 to 90", o.ReservePercent)
	}
	if o.Timeout < 0 || o.SlowTimeout < 0 {
		return nil, errors.New("closeapi: negative timeout")
	}
	fillDefaults(&o)
	return &Client{
		base: base,
		http: withoutRedirects(o.HTTPClient, o.SlowTimeout),
		auth: "Basic " + base64.StdEncoding.EncodeToString([]byte(o.Key.Reveal()+":")),
		opt:  o,
	}, nil
}

func fillDefaults(o *Options) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.UserAgent == "" {
		o.UserAgent = "closeapi"
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.SlowTimeout == 0 {
		o.SlowTimeout = max(defaultSlowTimeout, o.Timeout)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// parseBase refuses addresses that would send the key in clear text. The
// address itself may hold a password, so no error repeats it whole.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("closeapi: Options.BaseURL is not a URL")
	}
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("closeapi: Options.BaseURL must be scheme, host and path only")
	}
	if !safeScheme(u) {
		return nil, fmt.Errorf("closeapi: Options.BaseURL must use https (%s is allowed on loopback only)", u.Scheme)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawPath = ""
	return u, nil
}

// safeScheme: clear text stays on this machine.
func safeScheme(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// withoutRedirects copies h, so that the caller's client keeps its own rules.
// A redirect is an answer like any other here and becomes an error: following
// one could hand the key to another host.
func withoutRedirects(h *http.Client, headerTimeout time.Duration) *http.Client {
	var c http.Client
	if h != nil {
		c = *h
	} else {
		c.Transport = newTransport(headerTimeout)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

func newTransport(headerTimeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           2 * idleConnsPerHost,
		MaxIdleConnsPerHost:    idleConnsPerHost,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// CloseIdle drops kept connections, as at the end of a program or a test.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }
