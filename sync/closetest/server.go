package closetest

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Server is the imitation. It is safe for concurrent use; one lock guards all
// state and is never held while an answer is written or a webhook is sent.
type Server struct {
	opt Options

	mu       sync.Mutex
	rng      *rand.Rand // of all ids but those of requests
	requests *rand.Rand // of ids of requests
	drawn    int        // ids of requests so far
	lasting  *lasting   // nil: nothing is kept
	cat      catalogue
	keys     map[string]*apiKey // by whole key
	admin    *apiKey
	customs  map[string]*customField
	order    []*customField

	records     map[string]*record
	live        *view
	search      *view
	toIndex     []pendingIndex
	later       []job // merges and conversions under way
	at          int64 // the instant of the job that runs; 0 while none does
	merges      []*leadMerge
	hiddenLeads int
	saved       map[string][]byte // Smart Views: queries by id
	exports     map[string]*export

	log       []*event
	eventByID map[string]*event
	lastEvent map[string]*event // newest event per object
	eventSeq  int64
	epoch     int // of cursors; rotating makes older ones invalid

	hooks    hookState
	gate     rateGate
	faults   []*faultState
	history  history
	seeds    seedState
	seedDefs map[string][]*customField
}

// New makes an organization as Options describe.
func New(o Options) *Server {
	o.fill()
	s := &Server{
		opt: o, rng: rand.New(rand.NewPCG(o.Seed, 0x636c6f7365)), requests: rand.New(rand.NewPCG(o.Seed, 0x726571)),
		keys: map[string]*apiKey{}, customs: map[string]*customField{},
		records: make(map[string]*record, o.Leads*(1+o.ContactsPerLead+o.OpportunitiesPerLead)),
		live:    newView(), search: newView(), exports: map[string]*export{}, saved: map[string][]byte{},
		eventByID: map[string]*event{}, lastEvent: map[string]*event{},
	}
	s.hooks.init(o.Seed)
	s.seedCatalogue()
	s.chooseSeedCustoms()
	s.seedLeads(o.Leads)
	return s
}

// job is work due at an instant of the server's clock.
type job struct {
	due int64
	run func()
}

// nowMicros is the present; for a job it is when the job was due, however late
// somebody looks, so that one sequence of calls gives one history.
func (s *Server) nowMicros() int64 {
	if s.at != 0 {
		return s.at
	}
	return micros(s.opt.Now())
}

// stamp is the instant a write happens at: milliseconds, as recorded answers
// show six digits of which the last three are zero.
func (s *Server) stamp() int64 { return s.nowMicros() / 1000 * 1000 }

// lock takes the state and lets everything happen that is due by now.
func (s *Server) lock() {
	s.mu.Lock()
	s.settle()
}

// settle runs due jobs, in order of their time, and catches the index up.
func (s *Server) settle() {
	now := s.nowMicros()
	for len(s.later) > 0 {
		next := 0
		for i := range s.later {
			if s.later[i].due < s.later[next].due {
				next = i
			}
		}
		j := s.later[next]
		if j.due > now {
			break
		}
		s.later = append(s.later[:next], s.later[next+1:]...)
		s.at = j.due
		j.run()
		s.at = 0
	}
	if len(s.toIndex) > 0 {
		s.catchUpIndex(now)
	}
}

// after runs f once d has passed, at once when d is zero.
func (s *Server) after(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	s.later = append(s.later, job{s.nowMicros() + d.Microseconds(), f})
}

// OrganizationID is the one organization's id.
func (s *Server) OrganizationID() string { return s.cat.orgID }

// Cleanup is the part of testing.TB that Start needs.
type Cleanup interface{ Cleanup(func()) }

var _ http.Handler = (*Server)(nil)
