package console

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
)

// staticFiles are what pages load: the style, the icon and, where one was built, the script. They are read once.
type staticFiles struct {
	style  string // Path of the style sheet, with its content in the query so that it may be kept for ever.
	script string // Path of the script, whose name says its content; empty: none was built.
	byPath map[string]staticFile
}

type staticFile struct {
	contentType string
	body        []byte
}

// What may be kept for ever is named after its content; the rest is asked for again each hour.
const (
	forEver = "public, max-age=31536000, immutable"
	anHour  = "public, max-age=3600"
)

func readFiles(pages, bundle fs.FS) (*staticFiles, error) {
	s := &staticFiles{byPath: map[string]staticFile{}}
	for name, contentType := range map[string]string{"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		b, err := fs.ReadFile(pages, "pages/"+name)
		if err != nil {
			return nil, err
		}
		s.byPath["/"+name] = staticFile{contentType, b}
	}
	hash := sha256.Sum256(s.byPath["/style.css"].body)
	s.style = "/style.css?v=" + base64.RawURLEncoding.EncodeToString(hash[:9])
	scripts, err := fs.Glob(bundle, "assets/*.js")
	if err != nil {
		return nil, err
	}
	if len(scripts) > 1 {
		return nil, fmt.Errorf("console/assets holds %d scripts, where one is meant to be: run make clean build", len(scripts))
	}
	for _, name := range scripts {
		b, err := fs.ReadFile(bundle, name)
		if err != nil {
			return nil, err
		}
		s.script = "/assets/" + path.Base(name)
		s.byPath[s.script] = staticFile{"text/javascript; charset=utf-8", b}
	}
	return s, nil
}

func (s *staticFiles) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := s.byPath[r.URL.Path]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	keep := anHour
	if r.URL.Path == s.script || r.URL.RequestURI() == s.style {
		keep = forEver
	}
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Content-Type", f.contentType)
	_, _ = w.Write(f.body)
}

// themeOf is the look that the person has chosen in this browser; empty where there is none. The script writes the cookie.
func themeOf(r *http.Request) string {
	c, err := r.Cookie("theme")
	if errors.Is(err, http.ErrNoCookie) || c.Value != "light" && c.Value != "dark" {
		return ""
	}
	return c.Value
}
