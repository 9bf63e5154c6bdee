package httpapi

import (
	"embed"
	"mime"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

// docs contains the page, and from swagger-ui-dist 5.35.0 (npm) the two files that it needs, with
// their licences.
//
//go:embed docs
var docs embed.FS

// docsPolicy allows the page to load files of this program, and the images inside its style sheet.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';" +
	" base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a *api) openAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", a.OpenAPI)
}

func (a *api) docsPage(c echo.Context) error { return serveDoc(c, "index.html") }

func (a *api) docsFile(c echo.Context) error { return serveDoc(c, c.Param("file")) }

func serveDoc(c echo.Context, name string) error {
	content, err := docs.ReadFile(path.Join("docs", path.Base(name)))
	if err != nil {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Cache-Control", "no-cache")
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "text/plain; charset=utf-8"
	}
	return c.Blob(http.StatusOK, kind, content)
}
