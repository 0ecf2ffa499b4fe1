package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
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
		if sleep(ctx, pauses[i]) != nil {
			return err
		}
	}
}

// errIsFinal tells errors that another attempt will not mend.
func errIsFinal(err error) bool {
	var unauthorized docker.ErrUnauthorizedForCredentials
	var status docker.UnexpectedHTTPStatusError
	if errors.As(err, &status) {
		return status.StatusCode < 500 && status.StatusCode != 429
	}
	return errors.As(err, &unauthorized) || errors.Is(err, context.Canceled) || !isNetwork(err)
}

// isNetwork tells trouble on the way to a registry, which may pass. Not by
// net.Error: every errno of a local file is one. A name that does not exist
// and a certificate that is not trusted will not change in seconds.
func isNetwork(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	var operation *net.OpError
	var request *url.Error
	return errors.Is(err, errStalled) ||
		errors.As(err, &operation) ||
		errors.As(err, &request) && request.Timeout() ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, docker.ErrTooManyRequests)
}
