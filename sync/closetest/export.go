package closetest

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// export is one file in the making. Its content is the state of the moment
// when it is done, which nobody is told.
type export struct {
	id, kind, format, userID string
	created                  int64
	query                    *query // which leads or contacts
	params                   url.Values
	address                  string // of the file
	file                     []byte // gzip; nil until done
}

var exportTypes = map[string]string{"leads": kindLead, "contacts": kindContact, "lead_opps": kindOpportunity}

// exportEndpoint takes requests for files and tells how far they are.
func (s *Server) exportEndpoint(req *request) ([]byte, *apiError) {
	if req.key.role != RoleAdmin {
		return nil, sentence(403, "You do not have permission to export.")
	}
	if len(req.parts) != 2 {
		return nil, sentence(404, "Not found")
	}
	if req.method == "GET" {
		e := s.exports[req.parts[1]]
		if e == nil {
			return nil, notFound("export")
		}
		return encode(s.exportShape(e)), nil
	}
	e := &export{userID: req.actor.UserID, created: s.stamp(), params: url.Values{}}
	e.format, _ = req.body["format"].(string)
	if err := s.exportOf(req, e); err != nil {
		return nil, err
	}
	e.id = s.longID("expo")
	e.address = req.origin + "/_exports/" + e.id + "." + e.format + ".gz"
	s.exports[e.id] = e
	return encode(s.exportShape(e)), nil
}

// exportOf reads what is to be exported.
func (s *Server) exportOf(req *request, e *export) *apiError {
	f := fieldErrors{}
	if e.format != "json" && e.format != "csv" {
		f["format"] = "Not a valid choice."
	}
	switch req.parts[1] {
	case kindLead:
		t, _ := req.body["type"].(string)
		if e.kind = exportTypes[t]; e.kind == "" {
			f["type"] = "Not a valid choice."
		}
		q, err := s.compile(req, queryOf(req.body["s_query"]))
		if err != nil {
			return err
		}
		e.query = q
	case kindOpportunity:
		e.kind = kindOpportunity
		params, _ := req.body["params"].(map[string]any)
		for k, v := range params {
			e.params.Set(k, paramText(v))
		}
	default:
		return sentence(404, "Not found")
	}
	return f.err()
}

func queryOf(v any) []byte {
	if v == nil {
		return nil
	}
	return encode(v)
}

func (s *Server) exportShape(e *export) map[string]any {
	m := map[string]any{"id": e.id, "organization_id": s.cat.orgID, "user_id": e.userID, "type": e.kind, "format": e.format,
		"status": "done", "download_url": e.address, "date_created": zoned(e.created), "date_updated": zoned(s.stamp())}
	switch gone := time.Duration(s.nowMicros()-e.created) * time.Microsecond; {
	case gone >= s.opt.ExportDelay:
		if e.file == nil {
			e.file = gzipped(s.exportFile(e))
		}
		return m
	case gone >= s.opt.ExportDelay/2:
		m["status"] = "in_progress"
	default:
		m["status"] = "created"
	}
	m["download_url"] = nil
	return m
}

// exportFile prints the rows. Rich notes are not in exports.
func (s *Server) exportFile(e *export) []byte {
	var rows [][]byte
	if e.kind == kindOpportunity && e.query == nil {
		for _, v := range s.opportunityRows(&request{call: call{key: s.admin}, query: e.params}) {
			rows = append(rows, withoutNoteHTML(s.text(v)))
		}
	} else {
		for _, v := range s.live.created[e.kind].rows {
			if of := v.rec.leadRecord().live; e.query == nil || e.query.kind == e.kind && e.query.match(v) || e.query.kind == kindLead && e.query.match(of) {
				rows = append(rows, withoutNoteHTML(s.appendFull(nil, v)))
			}
		}
	}
	if e.format == "csv" {
		return csvOf(e.kind, rows)
	}
	return append(append([]byte{'['}, bytes.Join(rows, []byte(","))...), ']')
}

func withoutNoteHTML(raw []byte) []byte {
	dst := []byte{'{'}
	eachMember(raw, func(k, v []byte) bool {
		if string(k) != "note_html" {
			dst = appendRaw(dst, k, v)
		}
		return true
	})
	return append(dst, '}')
}

func csvOf(kind string, rows [][]byte) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(keyOrder[kind])
	for _, raw := range rows {
		line := make([]string, len(keyOrder[kind]))
		for i, k := range keyOrder[kind] {
			if v := member(raw, k); string(v) != "null" {
				line[i] = decodedText(v)
			}
		}
		_ = w.Write(line)
	}
	w.Flush()
	return b.Bytes()
}

// serveExport is the host of the files: their address is all it asks for.
func (s *Server) serveExport(w http.ResponseWriter, r *http.Request) {
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/_exports/"), ".")
	s.lock()
	var file []byte
	if e := s.exports[id]; e != nil {
		file = e.file
	}
	s.mu.Unlock()
	if file == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	_, _ = w.Write(file)
}
