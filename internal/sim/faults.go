package sim

import (
	"fmt"
	"strings"

	"closesync/sync/closetest"
)

// faultStep arms a fault of the imitation, or disarms all.
func (w *World) faultStep(st Step) {
	if st.Do == "clear" {
		w.clearFaults()
		return
	}
	w.armed += max(st.N, 1)
	name := fmt.Sprintf("%s %d", st.Kind, w.at)
	w.faults = append(w.faults, name)
	w.Close.Fault(closetest.Fault{Name: name, Kind: closetest.FaultKind(st.Kind), Method: st.Do, Path: st.Path, Rate: st.Rate, Times: max(st.N, 1), Status: st.Code, Delay: st.For})
}

// clearFaults disarms the faults and counts how often each kind fired.
func (w *World) clearFaults() {
	for _, name := range w.faults {
		kind, _, _ := strings.Cut(name, " ")
		n := w.Close.FaultFired(name)
		w.fired[kind] += n
		w.reached["fault "+kind] += n
	}
	w.faults = nil
	w.Close.ClearFaults()
}
