package sim

// Shrink leaves steps out of a failing scenario for as long as it still breaks
// the same invariant, and then simplifies what is left (delta debugging).
func (l *Lane) Shrink(sc Scenario, invariant string, o Options) (Scenario, error) {
	var problem error
	fails := func(c Scenario) bool {
		if problem != nil {
			return false
		}
		r, err := l.Run(c, o)
		if err != nil {
			problem = err
			return false
		}
		for _, b := range r.Broken {
			if b.Invariant == invariant {
				return true
			}
		}
		return false
	}
	for n := 2; len(sc.Steps) > 0; {
		smaller, ok := without(sc, n, fails)
		switch {
		case ok:
			sc, n = smaller, max(n-1, 2)
		case n >= len(sc.Steps):
			return simpler(sc, fails), problem
		default:
			n = min(2*n, len(sc.Steps))
		}
	}
	return simpler(sc, fails), problem
}

// without leaves out one of n equal parts of the steps, if it can.
func without(sc Scenario, n int, fails func(Scenario) bool) (Scenario, bool) {
	size := (len(sc.Steps) + n - 1) / n
	for from := 0; from < len(sc.Steps); from += size {
		c := sc
		c.Steps = append(append([]Step{}, sc.Steps[:from]...), sc.Steps[min(from+size, len(sc.Steps)):]...)
		if fails(c) {
			return c, true
		}
	}
	return sc, false
}

// simpler takes away what a step or the configuration does not need.
func simpler(sc Scenario, fails func(Scenario) bool) Scenario {
	try := func(change func(*Scenario)) {
		c := sc
		c.Steps = append([]Step{}, sc.Steps...)
		c.Recs = append([]Rec{}, sc.Recs...)
		change(&c)
		if fails(c) {
			sc = c
		}
	}
	for i := range sc.Steps {
		if sc.Steps[i].Stop > 0 {
			try(func(c *Scenario) { c.Steps[i].Stop = 0 })
		}
		if sc.Steps[i].S > 0 {
			try(func(c *Scenario) { c.Steps[i].S = 0 })
		}
	}
	for i := len(sc.Recs) - 1; i > 0; i-- {
		try(func(c *Scenario) { c.Recs = append(c.Recs[:i], c.Recs[i+1:]...) })
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.Consolidation = 0 }, func(c *Config) { c.IndexLag = 0 }, func(c *Config) { c.HookDelay = 0 },
		func(c *Config) { c.MergeDelay = 0 }, func(c *Config) { c.CloseSkew = 0 }, func(c *Config) { c.WorkerSkew = 0 },
		func(c *Config) { c.NoopTouches = false }, func(c *Config) { c.Optimistic = false }, func(c *Config) { c.Policy = "close" },
		func(c *Config) { c.Hooks = false }, func(c *Config) { c.Tick = 0 }, func(c *Config) { c.RefuseMove = false },
	} {
		try(func(c *Scenario) { change(&c.Config) })
	}
	return sc
}
