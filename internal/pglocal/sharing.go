package pglocal

import "time"

// A command that happens to start just before a worker must not take the
// server with it when it ends, nor keep the worker from its own: a worker holds
// a lock that says so, and commands leave the folder's lock to it.

// guestPatience is how long a command's server outlives the command for others
// that joined it.
const guestPatience = time.Minute

// workerElsewhere reports whether another process is a worker on the folder. A
// worker becomes it first, if there is none.
func (s *Server) workerElsewhere() (bool, error) {
	if s.worker != nil {
		return false, nil
	}
	lock, err := tryLock(s.at.worker)
	switch {
	case err != nil:
		return false, err
	case lock == nil:
		return true, nil
	case s.opts.Worker:
		s.worker = lock
	default:
		unlock(lock)
	}
	return false, nil
}

// ByWorker reports whether the server stays, as that of a worker does. Another
// may end with the command that started it, ours included.
func (s *Server) ByWorker() bool {
	if s.worker != nil {
		return true
	}
	others, err := s.workerElsewhere()
	return err == nil && others && s.lock == nil
}

// seeOff waits until nobody is attached any more and keeps others from
// attaching until the returned function is called.
func (s *Server) seeOff() (done func()) {
	for began := time.Now(); time.Since(began) < guestPatience; time.Sleep(poll) {
		lock, err := tryLock(s.at.guests)
		if err != nil {
			break
		}
		if lock != nil {
			return func() { unlock(lock) }
		}
	}
	return func() {}
}
