package strictfake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// hook is a webhook subscription.
type hook struct {
	id, url, key, status string
	events               []any
}

func (s *Server) hookCall(c *call) *answer {
	s.known(c, "_skip", "_limit")
	if len(c.parts) == 1 {
		switch c.method {
		case "GET":
			data := []any{}
			for _, h := range s.hooks {
				data = append(data, h.json(false))
			}
			return &answer{200, list(data)}
		case "POST":
			return s.subscribe(c)
		}
		return refuse(405, "Method not allowed")
	}
	i := slices.IndexFunc(s.hooks, func(h *hook) bool { return h.id == c.parts[1] })
	if i < 0 {
		return refuse(404, "Not found")
	}
	h := s.hooks[i]
	switch c.method {
	case "PUT":
		for name, v := range c.body {
			switch name {
			case "url":
				h.url, _ = v.(string)
			case "status":
				h.status, _ = v.(string)
			case "events":
				h.events, _ = v.([]any)
			case "verify_ssl":
			default:
				s.violate("PUT %s: no key %s", c.path, name)
			}
		}
	case "DELETE":
		s.hooks = slices.Delete(s.hooks, i, i+1)
		return &answer{200, map[string]any{}}
	}
	return &answer{200, h.json(false)}
}

func (s *Server) subscribe(c *call) *answer {
	for name := range c.body {
		if !slices.Contains([]string{"url", "events", "verify_ssl"}, name) {
			s.violate("POST webhook/: no key %s", name)
		}
	}
	h := &hook{id: "whsub_" + token(11), key: token(32), status: "active"}
	h.url, _ = c.body["url"].(string)
	h.events, _ = c.body["events"].([]any)
	if h.url == "" || len(h.events) == 0 {
		return fieldError("url", "This field is required.")
	}
	s.hooks = append(s.hooks, h)
	return &answer{201, h.json(true)}
}

func (h *hook) json(withKey bool) map[string]any {
	m := map[string]any{"id": h.id, "url": h.url, "events": h.events, "status": h.status, "verify_ssl": true,
		"date_created": createdLong, "date_updated": createdLong}
	if withKey {
		m["signature_key"] = h.key
	}
	return m
}

// deliver sends an event to the subscriptions that want it, once each.
func (s *Server) deliver(e *event) {
	for _, h := range s.hooks {
		if h.status != "active" || !h.wants(e) {
			continue
		}
		m := s.eventJSON(e)
		m["meta"] = maps.Clone(e.meta)
		body, _ := json.Marshal(map[string]any{"subscription_id": h.id, "event": m})
		s.deliveries.Go(func() { _, _ = Post(h.url, h.key, body, time.Now()) })
	}
}

func (h *hook) wants(e *event) bool {
	return slices.ContainsFunc(h.events, func(each any) bool {
		m, _ := each.(map[string]any)
		return m["object_type"] == e.kind && m["action"] == e.action
	})
}

// Post delivers body as Close signs it and gives the status of the answer.
func Post(url, key string, body []byte, at time.Time) (int, error) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	secret, err := hex.DecodeString(key)
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprint(mac, stamp)
	mac.Write(body)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body)) //nolint:noctx // the client has a deadline
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Close-Sig-Timestamp", stamp)
	req.Header.Set("Close-Sig-Hash", hex.EncodeToString(mac.Sum(nil)))
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
