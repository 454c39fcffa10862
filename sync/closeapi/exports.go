package closeapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// LeadExport asks for a file of leads. The file is a snapshot of an unstated
// moment: take an event watermark before asking (inferred).
// Source: developer.close.com/api/resources/exports.
type LeadExport struct {
	Format             string   `json:"format"` // json, csv
	Type               string   `json:"type"`   // leads (holds all), contacts, lead_opps
	Query              Node     `json:"s_query,omitzero"`
	Sort               []Sort   `json:"sort,omitzero"`
	Fields             []string `json:"fields,omitzero"`
	ResultsLimit       int      `json:"results_limit,omitzero"`
	IncludeActivities  bool     `json:"include_activities,omitzero"`
	IncludeSmartFields bool     `json:"include_smart_fields,omitzero"`
	DateFormat         string   `json:"date_format,omitzero"` // of csv
	SendDoneEmail      bool     `json:"send_done_email"`      // to the key's user
}

// States of an export.
const (
	ExportDone  = "done"
	ExportError = "error"
)

// Export is the state of an export.
type Export struct {
	ID          string `json:"id"`
	Status      string `json:"status"` // created, started, in_progress, done, error
	DownloadURL string `json:"download_url,omitzero"`
	Extra       Extra  `json:",embed"`
}

// ExportLeads starts an export.
// Source: developer.close.com/api/resources/exports.
func (c *Client) ExportLeads(ctx context.Context, e LeadExport) (*Export, error) {
	return create[Export](ctx, c, "export/lead", e)
}

// ExportOpportunities starts an export; params are filters of the list.
// Source: developer.close.com/api/resources/exports.
func (c *Client) ExportOpportunities(ctx context.Context, format string, params map[string]any) (*Export, error) {
	return create[Export](ctx, c, "export/opportunity", map[string]any{
		"format": format, "params": params, "send_done_email": false,
	})
}

// Export reads the state; DownloadURL is set once Status is done.
// Source: developer.close.com/api/resources/exports.
func (c *Client) Export(ctx context.Context, id string) (*Export, error) {
	return getRecord[Export](ctx, c, "export", id, nil)
}

// exportPoll is the first pause between two looks at an export; it doubles up
// to half a minute.
const exportPoll = 2 * time.Second

// WaitExport looks until the export is done or has failed, which is an error.
// Source: developer.close.com/api/resources/exports.
func (c *Client) WaitExport(ctx context.Context, id string) (*Export, error) {
	for pause := exportPoll; ; pause = min(2*pause, 30*time.Second) {
		e, err := c.Export(ctx, id)
		if err != nil {
			return nil, err
		}
		switch e.Status {
		case ExportDone:
			return e, nil
		case ExportError:
			return e, fmt.Errorf("closeapi: export %s failed", id)
		}
		if err := c.opt.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// OpenExport reads the file of an export that is done, unpacked. It lies on
// another host, which gets no key; only https is followed, except on loopback.
// The caller closes it. There is no deadline but ctx and no cap on its size.
// Source: developer.close.com/api/resources/exports.
func (c *Client) OpenExport(ctx context.Context, e *Export) (io.ReadCloser, error) {
	u, err := url.Parse(e.DownloadURL)
	if err != nil || u.Host == "" || u.User != nil || !safeScheme(u) {
		return nil, errors.New("closeapi: the export has no address that may be read")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("closeapi: the export's address cannot be read")
	}
	req.Header.Set("User-Agent", c.opt.UserAgent)
	// Asking for gzip by hand keeps the transport from unpacking: whether the
	// file is packed by its maker or on its way, its first bytes tell.
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("closeapi: export %s: %w", e.ID, withoutURL(err))
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("closeapi: export %s: the file's host answers %d", e.ID, resp.StatusCode)
	}
	return unpacked(resp.Body)
}

// unpacked reads gzip, also gzip within gzip, and passes on what is none.
func unpacked(body io.ReadCloser) (io.ReadCloser, error) {
	var r io.Reader = body
	for range 2 {
		b := bufio.NewReader(r)
		r = b
		if head, _ := b.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) {
			break
		}
		z, err := gzip.NewReader(b)
		if err != nil {
			body.Close()
			return nil, fmt.Errorf("closeapi: export: %w", err)
		}
		r = z
	}
	return struct {
		io.Reader
		io.Closer
	}{r, body}, nil
}
