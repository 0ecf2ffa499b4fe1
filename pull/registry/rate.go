package registry

import (
	"context"
	"sync"
	"time"
)

// limiter spreads bytes evenly over time, for all streams that share it. nil
// limits nothing.
type limiter struct {
	perSecond int64

	mu   sync.Mutex
	next time.Time // when what was granted so far has had its time
}

func newLimiter(perSecond int64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	return &limiter{perSecond: perSecond}
}

// piece shortens a buffer to what a twentieth of a second may bring, so that
// the stream does not stutter.
func (l *limiter) piece(p []byte) []byte {
	if l == nil {
		return p
	}
	return p[:min(int64(len(p)), max(l.perSecond/20, 1))]
}

// wait returns when n bytes that have come have had their time.
func (l *limiter) wait(ctx context.Context, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	l.mu.Lock()
	if now := time.Now(); l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(time.Duration(float64(n) / float64(l.perSecond) * float64(time.Second)))
	until := l.next
	l.mu.Unlock()
	return sleep(ctx, time.Until(until))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
