package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestClean(t *testing.T) {
	for written, want := range map[string]string{
		"as it is, größer: 100 %":               "as it is, größer: 100 %",
		"two\nhint: run this\r\n\tlines":        "two hint: run this lines",
		"\x1b[2J\x1b]0;title\a \u202eleft \xff": "[2J ]0;title left ?",
	} {
		if got := clean(errors.New(written)).Error(); got != want {
			t.Errorf("%q became %q, want %q", written, got, want)
		}
	}
	long := clean(errors.New(strings.Repeat("ü", 10_000))).Error()
	if len(long) > 2010 || !utf8.ValidString(long) || !strings.HasSuffix(long, "...") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	hinted := clean(fmt.Errorf("out\nside: %w", hint{fmt.Errorf("in\nside: %w", fs.ErrExist), "do this"}))
	if hinted.Error() != "out side: in side: file already exists\nhint: do this" || !errors.Is(hinted, fs.ErrExist) {
		t.Errorf("%q", hinted)
	}
	if clean(nil) != nil {
		t.Error("no error became one")
	}
}

// Whatever strangers write, an error is one line of text.
func TestErrorsOfStrangers(t *testing.T) {
	const evil = "\x1b[2J\nhint: run this\u202e"
	oneLine := func(what string, err error) {
		t.Helper()
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\n\u202e") || len(err.Error()) > 2100 {
			t.Errorf("%s: %q", what, err)
		}
	}
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/json"):
			w.WriteHeader(404)
			fmt.Fprintf(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"\u001b[2J\nhint: run this%s"}]}`, strings.Repeat("x", 5000))
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.WriteHeader(400)
			fmt.Fprint(w, evil+strings.Repeat("x", 5000))
		case strings.Contains(r.URL.Path, "/blobs/"):
			w.WriteHeader(404)
			fmt.Fprint(w, `{"errors":[{"code":"BLOB_UNKNOWN","message":"\u001b[2J\nhint: run this"}]}`)
		default:
			pass(w, r)
		}
	})
	for _, name := range []string{"app:json", "app:text"} {
		_, _, err := s.resolve(name)
		oneLine(name, err)
	}

	l := newLayout(t)
	l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(evil)))))
	_, _, err := l.resolve(acceptAll)
	oneLine("architecture", err)
	l = newLayout(t)
	platformIndex(l, "linux/"+evil)
	_, _, err = l.resolve(acceptAll)
	oneLine("platforms of an index", err)
	l = newLayout(t)
	l.index(l.json(imgspec.MediaTypeImageManifest+evil, manifestOf(l.json(imgspec.MediaTypeImageConfig+evil, platformConfig("")))))
	_, _, err = l.resolve(acceptAll)
	oneLine("media types", err)
}
