package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

// Prefix is the path in front of the connection's name.
const Prefix = "/webhooks/close/"

// futureSkew is how far Close's clock may be ahead of ours.
const futureSkew = time.Minute

// Options of a Receiver. Sink, Keys and Now are required; zero elsewhere means
// the default.
type Options struct {
	Sink Sink
	Keys Keys
	Now  func() time.Time
	// MaxBody is the largest body in bytes; 5 MiB.
	MaxBody int64
	// MaxMemory bounds the bodies held at one time, in bytes; 64 MiB.
	MaxMemory int64
	// StaleAfter is the age of a signature from which the content is not
	// trusted; 15 minutes.
	StaleAfter time.Duration
	// MaxBatch is the most deliveries of one commit; 256.
	MaxBatch int
	// Committers is the number of commits at one time; 2.
	Committers int
	// AckTimeout bounds lookup and storing together; 4 seconds, so that the
	// answer 503 leaves within the promised 5. How slowly a body may arrive is
	// the server's ReadTimeout.
	AckTimeout time.Duration
	// Observe is told the outcome of every request; nil for nobody. It is
	// called concurrently and must not block.
	Observe func(Outcome)
}

// Receiver is the handler of POST /webhooks/close/{connection}.
type Receiver struct {
	opts      Options
	keys      *keyCache
	refusals  *refusals
	bodies    bodies
	committer *committer
}

// New makes a Receiver; it answers 503 until Start.
func New(o Options) *Receiver {
	if o.Sink == nil || o.Keys == nil || o.Now == nil {
		panic("webhook: Options needs Sink, Keys and Now")
	}
	o.MaxBody = positive(o.MaxBody, 5<<20)
	o.MaxMemory = max(positive(o.MaxMemory, 64<<20), 2*o.MaxBody+2)
	o.StaleAfter = positive(o.StaleAfter, 15*time.Minute)
	o.MaxBatch = positive(o.MaxBatch, 256)
	o.Committers = positive(o.Committers, 2)
	o.AckTimeout = positive(o.AckTimeout, 4*time.Second)
	if o.Observe == nil {
		o.Observe = func(Outcome) {}
	}
	return &Receiver{
		opts:      o,
		keys:      newKeyCache(o.Keys, o.Now),
		refusals:  newRefusals(o.Now),
		bodies:    bodies{max: o.MaxBody, budget: semaphore.NewWeighted(o.MaxMemory)},
		committer: newCommitter(o.Sink, o.MaxBatch, o.AckTimeout),
	}
}

func positive[T int | int64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

// Start begins to store. Call it once.
func (r *Receiver) Start(ctx context.Context) { r.committer.start(ctx, r.opts.Committers) }

// Stop refuses further deliveries with 503 and stores those that wait. It may
// be called twice.
func (r *Receiver) Stop(ctx context.Context) error { return r.committer.stop(ctx) }

// ServeHTTP answers one delivery. Refusals come in the order of their cost, and
// nothing of a body is parsed before its signature is good.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := r.opts.Now()
	out := r.handle(req)
	out.Took = r.opts.Now().Sub(start)
	out.write(w)
	r.opts.Observe(out)
}

func (r *Receiver) handle(req *http.Request) Outcome {
	peer := address(req.RemoteAddr)
	if r.refusals.spent(peer) {
		return Outcome{Status: http.StatusTooManyRequests, Reason: "address"}
	}
	out := r.receive(req)
	if out.Status >= 400 && out.Status < 500 {
		r.refusals.note(peer)
	}
	return out
}

func (r *Receiver) receive(req *http.Request) Outcome {
	if req.Method != http.MethodPost {
		return Outcome{Status: http.StatusMethodNotAllowed, Reason: "method"}
	}
	connection, ok := connectionOf(req.URL.Path)
	if !ok {
		return Outcome{Status: http.StatusNotFound, Reason: "connection"}
	}
	asked := r.opts.Now()
	ctx, cancel := r.within(req, r.opts.AckTimeout)
	defer cancel()
	keys, err := r.keys.get(ctx, connection, keysFresh)
	switch {
	case errors.Is(err, ErrUnknownConnection):
		return Outcome{Status: http.StatusNotFound, Reason: "connection"}
	case err != nil:
		return Outcome{Status: http.StatusServiceUnavailable, Reason: "keys"}
	}
	left := r.opts.AckTimeout - r.opts.Now().Sub(asked)
	out := r.signed(req, connection, keys, left)
	out.Connection = connection
	return out
}

// within gives a context that outlives a sender who hangs up.
func (r *Receiver) within(req *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(req.Context()), d)
}

// signed reads and verifies the request of a known connection. What is left of
// the AckTimeout begins after the body: its arrival is no time of ours.
func (r *Receiver) signed(req *http.Request, connection string, keys []SigningKey, left time.Duration) Outcome {
	if req.ContentLength > r.opts.MaxBody {
		return r.tooLarge(req)
	}
	sig, ok := readSignature(req.Header)
	if !ok {
		return Outcome{Status: http.StatusUnauthorized, Reason: "headers"}
	}
	body, release, err := r.bodies.read(req)
	defer release()
	switch {
	case errors.Is(err, errTooLarge):
		return r.tooLarge(req)
	case errors.Is(err, errMemory):
		return Outcome{Status: http.StatusServiceUnavailable, Reason: "memory"}
	case err != nil:
		return Outcome{Status: http.StatusBadRequest, Reason: "read"}
	}
	ctx, cancel := r.within(req, left)
	defer cancel()
	signers := sig.verified(keys, body)
	if len(signers) == 0 {
		// The key may be newer than what we hold.
		if keys, err = r.keys.get(ctx, connection, keysRefetch); err == nil {
			signers = sig.verified(keys, body)
		}
	}
	if len(signers) == 0 {
		return Outcome{Status: http.StatusUnauthorized, Reason: "signature"}
	}
	return r.store(ctx, connection, sig, signers, body)
}

// tooLarge refuses a body. Of one that is over the limit by no more than as
// much again, the rest is taken and dropped: a sender that is cut off while it
// writes would see a broken connection and no answer.
func (r *Receiver) tooLarge(req *http.Request) Outcome {
	if req.ContentLength <= 2*r.opts.MaxBody {
		_, _ = io.CopyN(io.Discard, req.Body, r.opts.MaxBody)
	}
	return Outcome{Status: http.StatusRequestEntityTooLarge, Reason: "size"}
}

// store decodes a body whose signature is good and waits for its commit.
func (r *Receiver) store(ctx context.Context, connection string, sig signature, signers []SigningKey, body []byte) Outcome {
	d := Delivery{Connection: connection, Raw: body}
	if decode(&d) != nil {
		return Outcome{Status: http.StatusBadRequest, Reason: "body"}
	}
	key, ok := keyOf(signers, d.SubscriptionID)
	if !ok {
		return Outcome{Status: http.StatusUnauthorized, Reason: "subscription"}
	}
	age := r.opts.Now().Sub(sig.time())
	d.Stale = age > r.opts.StaleAfter || age < -futureSkew
	d.Foreign = key.OrganizationID != "" && d.OrganizationID != "" && d.OrganizationID != key.OrganizationID

	out := Outcome{Status: http.StatusOK, Age: age, Bytes: len(body), Stale: d.Stale, Foreign: d.Foreign, Odd: d.Odd}
	if err := r.committer.accept(ctx, d); err != nil {
		out.Status, out.Reason = http.StatusServiceUnavailable, "store"
	}
	return out
}

// keyOf finds the signer whose subscription the body names.
func keyOf(signers []SigningKey, subscription string) (SigningKey, bool) {
	for _, k := range signers {
		if k.SubscriptionID == "" || k.SubscriptionID == subscription {
			return k, true
		}
	}
	return SigningKey{}, false
}

// connectionOf takes the name from the path: one segment of plain characters.
func connectionOf(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, Prefix)
	if !ok || name == "" || len(name) > 63 {
		return "", false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", false
		}
	}
	return name, true
}
