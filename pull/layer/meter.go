package layer

import (
	"fmt"
	"io"
)

// meter counts what a layer unpacks to. The stream is one measure; what files
// contain is another: holes of sparse files cost nothing in the stream.
type meter struct {
	limits  *Limits
	stream  int64
	content int64
}

// over judges the counts. What was declared of files was judged before.
func (m *meter) over() error {
	if m.stream-m.limits.TotalSize > maxHeaders {
		return fmt.Errorf("the layer is longer than %d bytes (TotalSize=) and %d of headers", m.limits.TotalSize, int64(maxHeaders))
	}
	n := max(m.stream, m.content)
	if m.limits.Transferred == nil || n <= m.limits.RatioFrom {
		return nil
	}
	if got := m.limits.Transferred(); n/m.limits.Ratio > got {
		return fmt.Errorf("%d bytes transferred unpack to more than %d times as many (Ratio=)", got, m.limits.Ratio)
	}
	return nil
}

// count returns r, counted.
func (m *meter) count(r io.Reader, bytes *int64) io.Reader { return &metered{m, r, bytes} }

type metered struct {
	meter *meter
	r     io.Reader
	bytes *int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	*m.bytes += int64(n)
	if over := m.meter.over(); over != nil {
		return 0, over
	}
	return n, err
}
