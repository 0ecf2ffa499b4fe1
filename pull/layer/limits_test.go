package layer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	stream := archive(t, dir("d", 0o755), file("d/a", 0o644, "12345"), file("d/b", 0o644, "12345").xattr("user.a", "123456", "user.b", "1234"))
	longName := archive(t, file(strings.Repeat("./", 2000)+"f", 0o644, ""))
	zeros := archive(t, file("zeros", 0o644, strings.Repeat("\x00", 1<<20)))
	one := func() int64 { return 1 }
	full := errors.New("full")
	for _, c := range []struct {
		stream []byte
		limits Limits
		want   string // in the error; none if it is ""
	}{
		{stream, Limits{Entries: 2}, "more than 2 entries (Entries=)"},
		{stream, Limits{Depth: 1}, "more than 1 components (Depth=)"},
		{stream, Limits{PathLength: 2}, "longer than 2 bytes (PathLength=)"},
		{stream, Limits{PAXSize: 47}, "48 bytes, 47 are allowed (PAXSize=)"},
		{longName, Limits{PAXSize: 4000}, "4000 are allowed (PAXSize=)"},
		{stream, Limits{XattrSize: 5}, "6 bytes are more than 5 (XattrSize=)"},
		{stream, Limits{XattrTotal: 21}, "more than 21 bytes (XattrTotal=)"},
		{stream, Limits{Metadata: 600}, "more than 600 bytes (Metadata=)"},
		{stream, Limits{FileSize: 4}, "5 bytes are more than the 4 allowed for a file (FileSize=)"},
		{stream, Limits{TotalSize: 9}, "more than 9 bytes (TotalSize=)"},
		{stream, Limits{Admit: func(int64) error { return full }}, "full"},
		{zeros, Limits{Ratio: 100, RatioFrom: 1 << 19, Transferred: one}, "1 bytes transferred unpack to more than 100 times as many (Ratio=)"},
		{zeros, Limits{Ratio: 2 << 20, RatioFrom: 1 << 19, Transferred: one}, ""},
		{zeros, Limits{Ratio: 100, RatioFrom: 2 << 20, Transferred: one}, ""},
		{zeros, Limits{Ratio: 100, RatioFrom: 1}, ""},
		{zeros, Limits{Transferred: one}, ""},
		{stream, Limits{Entries: 3, Depth: 2, PathLength: 3, PAXSize: 48, XattrSize: 6, XattrTotal: 22, Metadata: 3*nodeCost + 25, FileSize: 5, TotalSize: 10}, ""},
		{archive(t, file(strings.Repeat("d/", 299)+"f", 0o644, "")), Limits{}, "more than 255 components (Depth=)"},
		{archive(t, file(strings.Repeat("d/", 299)+"f", 0o644, "")), Limits{Depth: 300}, ""},
		// Fields that are set directly cannot exceed what others rely on.
		{archive(t, file(strings.Repeat("d/", 2048)+"f", 0o644, "")), Limits{Depth: 1 << 40, PathLength: 1 << 40}, "longer than 4095 bytes"},
	} {
		_, err := Read(t.Context(), bytes.NewReader(c.stream), &memory{}, c.limits)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v, want %q", c.limits, err, c.want)
		}
	}
}

// Layers with one account share what is allowed.
func TestAccount(t *testing.T) {
	stream := archive(t, dir("d", 0o755), file("d/a", 0o644, "12345"))
	for _, c := range []struct {
		limits Limits
		want   string
	}{
		{Limits{Entries: 3}, "more than 3 entries (Entries=)"},
		{Limits{Metadata: 4 * nodeCost}, "more than 1024 bytes (Metadata=)"},
		{Limits{TotalSize: 9}, "more than 9 bytes (TotalSize=)"},
	} {
		for range 2 {
			if _, err := Read(t.Context(), bytes.NewReader(stream), &memory{}, c.limits); err != nil {
				t.Error(err)
			}
		}
		c.limits.Account = new(Account)
		if _, err := Read(t.Context(), bytes.NewReader(stream), &memory{}, c.limits); err != nil {
			t.Error(err)
		}
		if _, err := Read(t.Context(), bytes.NewReader(stream), &memory{}, c.limits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		small := archive(t, dir("x", 0o755)) // for which there is room again
		if _, err := Read(t.Context(), bytes.NewReader(small), &memory{}, c.limits); err != nil {
			t.Error(err)
		}
	}
}

// What is small in the stream must not become large in memory, or keep a
// processor busy.
func TestBombs(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream io.Reader
		limits Limits
		want   string
	}{
		{"implied directories", bytes.NewReader(archive(t, file(strings.Repeat("a/", 200)+"f", 0, ""), file("b/"+strings.Repeat("a/", 200)+"f", 0, ""))),
			Limits{Entries: 300}, "Entries="},
		{"whiteouts", repeated(raw('0', ".wh.x", ""), 1<<40), Limits{Entries: int64(rounds(100_000, 0))}, "00000 entries (Entries=)"},
		{"one name again and again", repeated(raw('5', "d", ""), 1<<40), Limits{Entries: 100_000}, "more than 100000 entries"},
		{"one name, memory", repeated(archive(t, dir("d", 0).xattr("trusted.a", strings.Repeat("x", 60000)))[:512+60416+512], 1<<40), Limits{}, "more than 268435456 bytes (Metadata=)"},
		{"global headers", repeated(raw('g', "", ""), 1<<40), Limits{Entries: 1000}, "Entries="},
		{"extended headers of nothing", repeated(raw('x', "", ""), 1<<40), Limits{Ratio: 10, RatioFrom: 1 << 20, Transferred: func() int64 { return 1000 }}, "Ratio="},
		{"hole", bytes.NewReader(sparse01("f", 1<<36, "0,1", "x")), Limits{RatioFrom: 1 << 20, Transferred: func() int64 { return 2048 }}, "Ratio="},
		{"hole in a small file", bytes.NewReader(sparse01("f", 900_000, "0,1", "x")), Limits{Ratio: 100, RatioFrom: 1 << 19, Transferred: func() int64 { return 2048 }}, "Ratio="},
		{"hole, declared", bytes.NewReader(sparse01("f", 1<<40, "0,1", "x")), Limits{}, "FileSize="},
		{"largest size", bytes.NewReader(sparse01("f", math.MaxInt64, "", "")), Limits{FileSize: math.MaxInt64}, "TotalSize="},
		{"sparse map", bytes.NewReader(endlessOldSparse()), Limits{}, "sparse map too long"},
	} {
		if _, err := Read(t.Context(), c.stream, &discard{}, c.limits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// The ratio is that of the blob and what comes out of it.
func TestZipBomb(t *testing.T) {
	plain := archive(t, file("zeros", 0o644, strings.Repeat("\x00", 30<<20)))
	for name, blob := range map[string][]byte{"gzip": gzipped(plain), "zstd": zstded(plain)} {
		for _, c := range []struct {
			limits Limits
			bad    bool
		}{
			{Limits{}, false},
			{Limits{RatioFrom: 10 << 20}, true},
			{Limits{RatioFrom: 10 << 20, Ratio: 1 << 20}, false},
		} {
			transferred := &counting{r: bytes.NewReader(blob)}
			r, err := Decompress(transferred)
			if err != nil {
				t.Fatal(err)
			}
			c.limits.Transferred = func() int64 { return int64(len(blob)) }
			_, err = Read(t.Context(), r, &discard{}, c.limits)
			r.Close()
			if c.bad != (err != nil && strings.Contains(err.Error(), "Ratio=")) || !c.bad && err != nil {
				t.Errorf("%s, %d bytes, %+v: %v", name, len(blob), c.limits, err)
			}
			if !c.bad && transferred.n != int64(len(blob)) {
				t.Errorf("%s: %d of %d bytes were read", name, transferred.n, len(blob))
			}
		}
	}
}

func TestSetLimits(t *testing.T) {
	var l Limits
	for i, name := range LimitNames() {
		if err := l.Set(name.Name, name.Default); err != nil {
			t.Errorf("the default of %s: %v", name.Name, err)
		}
		if !strings.HasSuffix(name.Text, ".") {
			t.Errorf("%s has no sentence", name.Name)
		}
		var one Limits
		if err := one.Set(name.Name, "1"); err != nil || *limits[i].field(&one) != 1 {
			t.Errorf("%s: %+v, %v", name.Name, one, err)
		}
	}
	l.Account = new(Account)
	if !reflect.DeepEqual(l, Limits{}.withDefaults()) {
		t.Errorf("set to defaults: %+v", l)
	}
	// Every number has a name, the field's own.
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Type.Kind() == reflect.Int64 {
			var one Limits
			if err := one.Set(field.Name, "1"); err != nil || reflect.ValueOf(one).Field(i).Int() != 1 {
				t.Errorf("%s: %v", field.Name, err)
			}
		}
	}
	for value, want := range map[string]int64{"7": 7, "3K": 3 << 10, "3M": 3 << 20, "3G": 3 << 30, "3T": 3 << 40, "8191T": 8191 << 40} {
		if err := l.Set("FileSize", value); err != nil || l.FileSize != want {
			t.Errorf("%s: %d, %v", value, l.FileSize, err)
		}
	}
	for _, bad := range [][2]string{
		{"Entries", "0"}, {"Entries", ""}, {"Entries", "-1"}, {"Entries", "1k"}, {"Entries", "1KB"}, {"Entries", "K"}, {"Entries", "1.5M"}, {"Entries", " 1"},
		{"Entries", "1T"}, {"Depth", "2049"}, {"PathLength", "4K"}, {"FileSize", "8388608T"}, {"FileSize", "9223372036854775808"}, {"FileSize", "18014398509481984T"},
		{"entries", "1"}, {"Transferred", "1"}, {"", "1"},
	} {
		before := l
		if err := l.Set(bad[0], bad[1]); err == nil || !reflect.DeepEqual(before, l) {
			t.Errorf("%s=%s: %+v, %v", bad[0], bad[1], l, err)
		}
	}
}

// discard is a sink that reads.
type discard struct{}

func (discard) File(_ Meta, size int64, content io.Reader) (ID, error) {
	n, err := io.Copy(io.Discard, content)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes instead of %d", n, size)
	}
	return ID{}, err
}

func (discard) Symlink(Meta, string) (ID, error) { return ID{}, nil }

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// repeated is a stream of the same block again and again.
func repeated(block []byte, n int64) io.Reader {
	many := bytes.Repeat(block, 1+100_000/len(block))
	return io.LimitReader(&endless{many, many}, n)
}

type endless struct{ all, left []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		e.left = e.all
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}
