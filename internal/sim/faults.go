package sim

import (
	"closesync/sync/closetest"
)

// faultStep arms a fault of the imitation, or disarms all.
func (w *World) faultStep(st Step) {
	if st.Do == "clear" {
		w.Close.ClearFaults()
		return
	}
	w.Close.Fault(closetest.Fault{Kind: closetest.FaultKind(st.Kind), Method: st.Do, Path: st.Path, Rate: st.Rate, Times: max(st.N, 1), Status: st.Code, Delay: st.For})
}
