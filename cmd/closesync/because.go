package main

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// ruleWords say for people why a value went where it went.
var ruleWords = map[reconcile.Reason]string{
	reconcile.ReasonRemoteEdit:    "edited in Close",
	reconcile.ReasonLocalEdit:     "edited here",
	reconcile.ReasonSameEdit:      "the same edit on both sides",
	reconcile.ReasonRefresh:       "completed by Close",
	reconcile.ReasonListMerge:     "entries of both sides joined",
	reconcile.ReasonPutBack:       "edited on the side that may not edit it, and put back",
	reconcile.ReasonMirror:        "kept as Close has it",
	reconcile.ReasonConflict:      "edited on both sides; decided by the rule",
	reconcile.ReasonOpen:          "edited on both sides; somebody must decide",
	reconcile.ReasonOperator:      "decided by a person",
	reconcile.ReasonOverwritten:   "an edit in Close crossed ours",
	reconcile.ReasonLearned:       "written by Close in a form of its own",
	reconcile.ReasonRequired:      "may not be empty, and put back",
	reconcile.ReasonNew:           "new on the other side",
	reconcile.ReasonNoParent:      "its parent is gone",
	reconcile.ReasonRemoteDeleted: "deleted in Close",
	reconcile.ReasonLocalDeleted:  "deleted here",
	reconcile.ReasonDeleteIgnored: "deleted here, which is not sent (on_local_delete: ignore)",
	reconcile.ReasonRestored:      "deleted here, but edited in Close or only mirrored: it came back",
	reconcile.ReasonRecalled:      "deleted here, but a record below it was edited in Close or cannot leave it: it came back",
	reconcile.ReasonRefilled:      "the row was gone and is put back",
	reconcile.ReasonBothDeleted:   "deleted on both sides",
}

// sourceWords say for people how it was noticed.
var sourceWords = map[string]string{
	"audit": "full compare", "event_log": "event log", "webhook": "webhook", "search": "search", "backfill": "first load",
	"local": "change of the row", "operator": "asked for by a person", "apply": "plan carried out", "parent": "its parent changed",
	"parent deleted": "its parent was deleted", "match": "matched by content", "truncate": "the table was emptied",
	"restored": "the database forgot", "reference": "another record refers to it",
}

// directionWords say for people which way a change went.
var directionWords = map[string]string{string(engine.FromClose): "Close -> here", string(engine.ToClose): "here -> Close"}

// because tells a cause in words, as in "edited in Close (event log, event
// ev_…)". What it does not know is shown as it is.
func because(cause jsontext.Value) string {
	var c map[string]jsontext.Value
	if json.Unmarshal(cause, &c) != nil || len(c) == 0 {
		return "an unknown cause"
	}
	var details []string
	if source := plain(c["source"]); source != "" {
		details = append(details, wordFor(sourceWords, source))
	}
	for _, name := range []string{"event", "transaction", "intent"} {
		if v := plain(c[name]); v != "" {
			details = append(details, strings.Replace(name, "intent", "write", 1)+" "+v)
		}
	}
	rule := plain(c["rule"])
	name, choice, decided := strings.Cut(rule, ": ")
	what := wordFor(ruleWords, reconcile.Reason(name))
	if decided {
		what += " " + choice
	}
	switch {
	case rule == "" && len(details) == 0:
		return string(cause)
	case rule == "":
		return strings.Join(details, ", ")
	case len(details) == 0:
		return what
	}
	return what + " (" + strings.Join(details, ", ") + ")"
}

// wordFor gives the words for a name, else the name.
func wordFor[K ~string](words map[K]string, name K) string {
	if w := words[name]; w != "" {
		return w
	}
	return string(name)
}
