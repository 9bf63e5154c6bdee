package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"example.com/orders/shared/look"
)

//go:embed assets
var assetFiles embed.FS

//go:embed drawings.tsv
var drawingLines string

// asset is a file.
type asset struct {
	kind  string // media type
	plain []byte
	small func() []byte // plain, compressed at the first call
}

// assets are the files under the names that pages use: pages.1f2e3d4c5b6a.css.
type assets struct {
	byName map[string]asset
	names  map[string]string // by name of the file
}

func loadAssets() (*assets, error) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	a := &assets{byName: map[string]asset{}, names: map[string]string{}}
	a.add("pages.css", look.Stylesheet())
	for _, e := range entries {
		plain, err := assetFiles.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			return nil, err
		}
		a.add(e.Name(), plain)
	}
	return a, nil
}

func (a *assets) add(file string, plain []byte) {
	hash, extension := sha256.Sum256(plain), path.Ext(file)
	name := strings.TrimSuffix(file, extension) + "." + hex.EncodeToString(hash[:6]) + extension
	a.names[file] = "/assets/" + name
	a.byName[name] = asset{mime.TypeByExtension(extension), plain, sync.OnceValue(func() []byte { return compress(plain) })}
}

func compress(plain []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(plain)                                 // a bytes.Buffer returns no errors
	_ = w.Close()
	return b.Bytes()
}

// asset answers with a file. Its name has its hash, so browsers keep it for ever.
func (p *Pages) asset(c echo.Context) error {
	a, ok := p.assets.byName[c.Param("file")]
	if !ok {
		return echo.ErrNotFound
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return send(c, http.StatusOK, a.kind, a.plain, a.small)
}

// send writes a body, or small, if the client accepts that: the body compressed.
func send(c echo.Context, status int, kind string, plain []byte, small func() []byte) error {
	h := c.Response().Header()
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		plain = small()
	}
	return c.Blob(status, kind, plain)
}

// loadDrawings reads the drawings of products: a SKU or a category, and the path of its SVG.
func loadDrawings() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(drawingLines) {
		name, drawing, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all[name] = drawing
	}
	return all
}
