package closetest

// exportEndpoint takes export requests and reports them done at once; the
// file itself is not made, as the answer's download_url is outside the API.
func (s *Server) exportEndpoint(req *request) ([]byte, *apiError) {
	if req.key.role != RoleAdmin {
		return nil, sentence(403, "You do not have permission to export.")
	}
	if len(req.parts) == 2 && req.method == "GET" {
		if e := s.exports[req.parts[1]]; e != nil {
			return encode(e), nil
		}
		return nil, notFound("export")
	}
	if len(req.parts) != 2 || req.method != "POST" {
		return nil, sentence(404, "Not found")
	}
	id := s.longID("expo")
	e := map[string]any{"id": id, "organization_id": s.cat.orgID, "user_id": req.actor.UserID, "status": "done",
		"type": req.body["type"], "format": req.body["format"], "download_url": "https://exports.example/" + id + ".json.gz",
		"date_created": zoned(s.stamp()), "date_updated": zoned(s.stamp())}
	s.exports[id] = e
	return encode(e), nil
}
