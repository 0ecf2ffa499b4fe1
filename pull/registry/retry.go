package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"go.podman.io/image/v5/docker"
)

// pauses between attempts. Together they stay far below systemd's default
// start timeout: a unit whose registry is away should fail with our message,
// not with "timeout".
var pauses = []time.Duration{500 * time.Millisecond, 2 * time.Second, 5 * time.Second}

// retry calls f until it succeeds, fails for good, or the pauses are used up.
func retry(ctx context.Context, f func() error) error {
	for i := 0; ; i++ {
		err := f()
		if err == nil || i == len(pauses) || errIsFinal(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauses[i]):
		}
	}
}

func isNetwork(err error) bool {
	var network net.Error
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, docker.ErrTooManyRequests)
}
