package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// noise is n bytes that nothing compresses, always the same.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// blobs is a behaviour for the blob requests after the first few, those of a
// configuration and of pushing excluded.
type blobs struct {
	mu     sync.Mutex
	on     bool
	count  int
	ranges []string
	behave func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) // n from 0
}

func (b *blobs) answer(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	b.mu.Lock()
	if !b.on || !strings.Contains(r.URL.Path, "/blobs/") {
		b.mu.Unlock()
		pass(w, r)
		return
	}
	n := b.count
	b.count++
	b.ranges = append(b.ranges, r.Header.Get("Range"))
	behave := b.behave
	b.mu.Unlock()
	behave(n, w, r, pass)
}

func (b *blobs) from(behave func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.behave = behave
}

func (b *blobs) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// newBig is a site with an image app:1 of one layer, about size bytes as
// transferred.
func newBig(t *testing.T, size int) *site {
	t.Helper()
	s := newSite(t, nil)
	s.pushImage("app:1", image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("noise", 0o644, string(noise(size)))}}}})
	return s
}

// layer is that image's, whose blob requests b answers from now on. It may be
// called by parallel tests.
func (s *site) layer(t *testing.T, b *blobs) (*Source, Layer) {
	t.Helper()
	front, err := image.NewFront(s.real.Address, nil, b.answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(front.Close)
	here := &site{t: t, root: s.root, front: front}
	here.write("etc/containers/registries.conf.d/"+front.Address+".conf", "[[registry]]\nlocation = \""+front.Address+"\"\ninsecure = true\n")
	sysregistriesv2.InvalidateCache()
	src, got, err := here.resolve("app:1")
	if err != nil {
		t.Fatal(err)
	}
	b.on = true
	return src, got.Layers[0]
}

func big(t *testing.T, size int, b *blobs) (*Source, Layer) {
	t.Helper()
	return newBig(t, size).layer(t, b)
}

// readCounted reads a layer to its end and checks that every byte was told of
// once.
func readCounted(t *testing.T, src *Source, layer Layer) error {
	t.Helper()
	received := int64(0)
	body, err := src.Layer(t.Context(), layer, func(n int) { received += int64(n) })
	if err != nil {
		return err
	}
	defer body.Close()
	if n, err := body.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
	n, err := io.Copy(io.Discard, body)
	if err == nil && (n != layer.Size || received != n) {
		t.Errorf("read %d of %d bytes, told of %d", n, layer.Size, received)
	}
	if _, again := body.Read(make([]byte, 1)); err != nil && !errors.Is(again, err) || err == nil && again != io.EOF {
		t.Errorf("after %v: %v", err, again)
	}
	return err
}

// Connections that break anywhere, in both ways, all the time. What is
// delivered has been verified by its digest.
func TestStreamCut(t *testing.T) {
	size, most := 4<<20, 200<<10
	if host.Long() {
		size, most = 256<<20, 2<<20
	}
	random := rand.New(rand.NewPCG(1, 2))
	b := &blobs{}
	b.behave = func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		b.mu.Lock()
		cut, reset := 1+random.IntN(most), random.IntN(2) == 0
		b.mu.Unlock()
		pass(image.CutAfter(w, cut, reset), r)
	}
	src, layer := big(t, size, b)
	if err := readCounted(t, src, layer); err != nil {
		t.Fatal(err)
	}
	if b.asked() < size/most {
		t.Errorf("%d connections only", b.asked())
	}
	last := int64(-1)
	for i, r := range b.ranges[1:] {
		var from int64
		if _, err := fmt.Sscanf(r, "bytes=%d-", &from); err != nil || from < last {
			t.Fatalf("request %d was for %q, after %d", i+1, r, last)
		}
		last = from
	}
	t.Logf("%d connections for %d bytes", b.asked(), size)
}

// Layers are fetched at once, each over connections that break.
func TestStreamsTogether(t *testing.T) {
	var layers []image.Layer
	for i := range 4 {
		layers = append(layers, image.Layer{Entries: []image.Entry{image.File(fmt.Sprint(i), 0o644, string(noise(300_000+i)))}})
	}
	s := newSite(t, nil)
	s.pushImage("app:1", image.Image{Layers: layers})
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(image.CutAfter(w, 50_000+1000*n, n%2 == 0), r)
	}}
	front := s.newFront(b.answer)
	s.write("etc/containers/registries.conf.d/front.conf", "[[registry]]\nlocation = \""+front.Address+"\"\ninsecure = true\n")
	sysregistriesv2.InvalidateCache()
	src, got, err := s.resolveWith(front.Address+"/app:1", Options{RateLimit: 100 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b.on = true
	var all sync.WaitGroup
	for _, layer := range got.Layers {
		all.Go(func() {
			if err := readCounted(t, src, layer); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A registry without ranges sends all of it again; what was read is skipped.
func TestStreamWithoutRanges(t *testing.T) {
	const size = 1 << 20
	s := newBig(t, size)
	for name, refuse := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"ignored": func(w http.ResponseWriter, r *http.Request) bool { r.Header.Del("Range"); return false },
		"not satisfiable": func(w http.ResponseWriter, r *http.Request) bool {
			return answerIf(w, r.Header.Get("Range") != "", http.StatusRequestedRangeNotSatisfiable)
		},
		"a bad request": func(w http.ResponseWriter, r *http.Request) bool {
			return answerIf(w, r.Header.Get("Range") != "", http.StatusBadRequest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := 0
			b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if refuse(w, r) {
					return
				}
				full++
				pass(image.CutAfter(w, []int{size / 4, size / 2, size * 2}[full-1], false), r)
			}}
			src, layer := s.layer(t, b)
			if err := readCounted(t, src, layer); err != nil {
				t.Errorf("after %d requests: %v", b.asked(), err)
			}
		})
	}
}

func answerIf(w http.ResponseWriter, yes bool, status int) bool {
	if yes {
		http.Error(w, "no", status)
	}
	return yes
}

// What cannot be resumed says that it may be begun anew, and soon.
func TestStreamInterrupted(t *testing.T) {
	const size = 1 << 20
	s := newBig(t, size)
	firstCut := func(then func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)) *blobs {
		return &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			if n == 0 {
				pass(image.CutAfter(w, 1000, false), r)
				return
			}
			then(n, w, r, pass)
		}}
	}
	for _, c := range []struct {
		name string
		b    *blobs
		err  string
		most int // requests
	}{
		{"gone", firstCut(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { http.Error(w, "", 404) }), "404", 4},
		{"forbidden", firstCut(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { http.Error(w, "", 403) }), "403", 4},
		{"ill", firstCut(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { http.Error(w, "", 503) }), "503", 8},
		{"another part", firstCut(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			r.Header.Set("Range", "bytes=7-")
			pass(w, r)
		}), "", 4},
		{"another blob", firstCut(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 1000-%d/%d", size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(make([]byte, size-1000))
		}), "", 8},
		{"always the same place", &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			r.Header.Del("Range")
			pass(image.CutAfter(w, 1000, false), r)
		}}, "after 1000 of", 10},
		{"shorter than it was", &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			w.Header().Set("Content-Length", "1000")
			w.Write(make([]byte, 1000))
		}}, "bytes are missing", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, layer := s.layer(t, c.b)
			err := readCounted(t, src, layer)
			if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), layer.Digest.String()) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if c.b.asked() > c.most {
				t.Errorf("%d requests", c.b.asked())
			}
			// Begun anew, it is all there.
			c.b.from(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { pass(w, r) })
			if err := readCounted(t, src, layer); err != nil {
				t.Errorf("begun anew: %v", err)
			}
		})
	}
}

// A blob with other content than its digest is no accident of the way.
func TestStreamOfWrongContent(t *testing.T) {
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if n == 0 {
			http.Error(w, "", 503)
			return
		}
		w.Write(make([]byte, 1<<20))
		w.Write(make([]byte, 1<<20))
	}}
	src, layer := big(t, 1<<20, b)
	if err := readCounted(t, src, layer); err == nil || errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "longer than the manifest says") {
		t.Error(err)
	}
	if b.asked() != 2 {
		t.Errorf("%d requests", b.asked())
	}
}

// One byte per connection is progress, but not for ever.
func TestStreamDrip(t *testing.T) {
	defer func(n int) { reconnections = n }(reconnections)
	reconnections = 30
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(image.CutAfter(w, 1, false), r)
	}}
	src, layer := big(t, 1<<20, b)
	if err := readCounted(t, src, layer); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	if b.asked() > reconnections+3 {
		t.Errorf("%d requests", b.asked())
	}
}

// A connection that falls silent is replaced; a registry that never begins to
// answer is not asked again.
func TestStreamStalls(t *testing.T) {
	defer func(s, b time.Duration) { stall, begin = s, b }(stall, begin)
	stall, begin = 100*time.Millisecond, time.Second
	silent := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
			t.Error("a silent connection was kept")
		}
	}
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if n == 0 {
			w.Header().Set("Content-Length", fmt.Sprint(2<<20))
			w.Write(noise(1)[:0])
			http.NewResponseController(w).Flush()
			silent(w, r)
			return
		}
		pass(w, r)
	}}
	src, layer := big(t, 1<<20, b)
	if err := readCounted(t, src, layer); err != nil {
		t.Errorf("one stall: %v", err)
	}
	begin = 100 * time.Millisecond
	before := b.asked()
	b.from(func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { silent(w, r) })
	if err := readCounted(t, src, layer); !errors.Is(err, errStalled) || b.asked() != before+1 {
		t.Errorf("no answer: %v after %d requests", err, b.asked()-before)
	}
}

// A reader that does nothing for long stalls nobody.
func TestStreamOfSlowReader(t *testing.T) {
	defer func(s time.Duration) { stall = s }(stall)
	stall = 50 * time.Millisecond
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { pass(w, r) }}
	src, layer := big(t, 1<<20, b)
	body, err := src.Layer(t.Context(), layer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	for range 3 {
		if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * stall)
	}
	if _, err := io.Copy(io.Discard, body); err != nil || b.asked() != 1 {
		t.Errorf("%v after %d requests", err, b.asked())
	}
}

// Who closes a stream does not read the rest of it.
func TestStreamClosed(t *testing.T) {
	ended := make(chan bool, 1)
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if n < 2 { // the library takes the first one up again, we the second
			pass(image.CutAfter(w, 1000, false), r)
			return
		}
		r.Header.Del("Range")
		w.Header().Set("Content-Length", fmt.Sprint(2<<20)) // as if there were no ranges
		w.Write(make([]byte, 4000))
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			ended <- true
		case <-time.After(10 * time.Second):
			ended <- false
		}
	}}
	src, layer := big(t, 1<<20, b)
	body, err := src.Layer(t.Context(), layer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(body, make([]byte, 3000)); err != nil {
		t.Fatal(err)
	}
	body.Close()
	if !<-ended {
		t.Error("the connection was kept")
	}
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("read after close")
	}
}

// Who cancels is told so, whatever goes on.
func TestStreamCancelled(t *testing.T) {
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(image.CutAfter(w, 1000, false), r)
	}}
	src, layer := big(t, 1<<20, b)
	pauses = []time.Duration{time.Hour}
	ctx, cancel := context.WithCancelCause(t.Context())
	body, err := src.Layer(ctx, layer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	enough := errors.New("enough")
	time.AfterFunc(1500*time.Millisecond, func() { cancel(enough) }) // the library waits a second
	if _, err := io.Copy(io.Discard, body); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// The library's ranged requests are reached by reflection: this fails when they
// are no longer there.
func TestRanged(t *testing.T) {
	b := &blobs{behave: func(n int, w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { pass(w, r) }}
	src, layer := big(t, 1<<20, b)
	whole, err := read(t.Context(), src, layer)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ranged(t.Context(), src.src, layer.info, 12345)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if rest, err := io.ReadAll(body); err != nil || !bytes.Equal(rest, whole[12345:]) {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
	local, err := Open(t.Context(), "dir:"+t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if _, err := ranged(t.Context(), local.src, layer.info, 1); err == nil {
		t.Error("a directory has ranges")
	}
}

// Files of this machine are read once, and their errors are theirs.
func TestStreamOfFile(t *testing.T) {
	l := newLayout(t)
	tar := l.blob("application/vnd.oci.image.layer.v1.tar", noise(1000))
	l.index(l.json("application/vnd.oci.image.manifest.v1+json", manifestOf(l.json("application/vnd.oci.image.config.v1+json", platformConfig("", tar.Digest)), tar)))
	src, got, err := l.resolve(acceptAll)
	if err != nil {
		t.Fatal(err)
	}
	path := l.dir + "/blobs/sha256/" + tar.Digest.Encoded()
	if err := os.Truncate(path, 900); err != nil {
		t.Fatal(err)
	}
	if err := readCounted(t, src, got.Layers[0]); err == nil || errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "100 bytes are missing") {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := readCounted(t, src, got.Layers[0]); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Two streams share what one may have, evenly.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, seconds, streams = 100_000, 30, 2
		l := newLimiter(perSecond)
		start := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		total, worst := 0, time.Duration(0)
		for range streams {
			all.Go(func() {
				last := time.Now()
				for time.Since(start) < seconds*time.Second {
					n := len(l.piece(make([]byte, 32<<10)))
					if err := l.wait(t.Context(), n); err != nil {
						t.Error(err)
					}
					mu.Lock()
					total += n
					worst = max(worst, time.Since(last))
					mu.Unlock()
					last = time.Now()
				}
			})
		}
		all.Wait()
		if rate := total / seconds; rate < perSecond*99/100 || rate > perSecond*101/100 {
			t.Errorf("%d bytes a second, want %d", rate, perSecond)
		}
		if worst > 200*time.Millisecond {
			t.Errorf("a stream waited %v for a piece", worst)
		}

		// Time in which nobody read cannot be caught up.
		time.Sleep(time.Hour)
		start = time.Now()
		l.wait(t.Context(), perSecond)
		l.wait(t.Context(), perSecond)
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("two seconds' worth took %v", waited)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		if err := l.wait(ctx, perSecond*3600); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("cancelled: %v after %v", err, time.Since(start))
		}
	})
	var none *limiter
	if p := none.piece(make([]byte, 7)); len(p) != 7 || none.wait(t.Context(), 1<<40) != nil || newLimiter(0) != nil {
		t.Error("no limit limits")
	}
	if p := newLimiter(1).piece(make([]byte, 7)); len(p) != 1 {
		t.Errorf("a byte a second comes in pieces of %d", len(p))
	}
}

// The limit reaches the streams of a registry, and only those.
func TestRateLimitOfSource(t *testing.T) {
	s := newSite(t, nil)
	s.pushImage("app:1", image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("noise", 0o644, string(noise(100_000)))}}}})
	src, got, err := s.resolveWith(s.front.Address+"/app:1", Options{RateLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := readCounted(t, src, got.Layers[0]); err != nil {
		t.Error(err)
	}
	if src.limit.next.IsZero() {
		t.Error("nothing was limited")
	}
}
