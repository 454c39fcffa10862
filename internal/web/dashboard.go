package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "assets/dashboard.html"))

// registerDashboard adds the page and its files, and the script of the job
// pages. The page holds no data: the script fetches it and writes it as text,
// never as markup.
func registerDashboard(mux *http.ServeMux, o Options) {
	var html bytes.Buffer
	err := pageTemplate.Execute(&html, struct {
		Version string
		Jobs    bool
	}{o.Version, o.Jobs != nil})
	if err != nil {
		panic("web: dashboard template: " + err.Error())
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html.Bytes())
	})
	for name, kind := range map[string]string{
		"dashboard.css": "text/css; charset=utf-8",
		"dashboard.js":  "text/javascript; charset=utf-8",
		"jobs.js":       "text/javascript; charset=utf-8",
		"icon.svg":      "image/svg+xml",
	} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			panic("web: " + err.Error())
		}
		mux.HandleFunc("GET /assets/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(content)
		})
	}
}
