package reconcile

import "closesync/mapping"

// mergeSets joins a list that both sides changed (S28): what either added is
// in, what either removed is out. Items are compared by their write form and
// counted, for a list may hold one twice. Lists never conflict.
func (v versions) mergeSets() decision {
	want := v.wanted()
	left := make(map[mapping.Value]int, len(want))
	for form, n := range want {
		left[form] = n
	}
	var out []mapping.Value
	// Close's items come first and in full; their order is the one to keep.
	for _, val := range []mapping.Value{v.r, v.l} {
		for _, item := range mapping.Items(val) {
			if form := mapping.ItemForm(v.f, item); left[form] > 0 {
				left[form]--
				out = append(out, item)
			}
		}
	}
	d := decision{reason: ReasonListMerge, value: mapping.ListOf(out)}
	d.toLocal = !mapping.Identical(v.f, v.l, d.value)
	d.toRemote = !v.same(v.r, d.value)
	// Once the joined list is here, it holds all of Close's news and differs
	// from Close only by edits made here: Close's list is the base of those. An
	// item of Close that is then removed here stays removed.
	d.base, d.baseSet = v.r, true
	return d
}

// wanted counts each item of the joined list.
func (v versions) wanted() map[mapping.Value]int {
	b, l, r := count(v.f, v.b), count(v.f, v.l), count(v.f, v.r)
	want := make(map[mapping.Value]int, len(l)+len(r))
	for _, side := range []map[mapping.Value]int{l, r} {
		for form := range side {
			want[form] = mergeCount(b[form], l[form], r[form])
		}
	}
	return want
}

func count(f mapping.Field, v mapping.Value) map[mapping.Value]int {
	n := map[mapping.Value]int{}
	for _, item := range mapping.Items(v) {
		n[mapping.ItemForm(f, item)]++
	}
	return n
}

// mergeCount merges how often one item occurs: the same edit on both sides
// counts once, opposite edits cancel out.
func mergeCount(b, l, r int) int {
	switch {
	case l == b:
		return r
	case r == b:
		return l
	case l > b && r > b:
		return max(l, r)
	case l < b && r < b:
		return min(l, r)
	}
	return max(0, l+r-b)
}
