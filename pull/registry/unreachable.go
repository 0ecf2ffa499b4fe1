package registry

import (
	"context"
	"errors"
	"net"
	"net/url"

	"go.podman.io/image/v5/docker"
)

// Unreachable tells whether an error of this package says no more than that a registry was out of reach: no network, no
// name server, nobody who answers, or one who is too busy to. What a registry, a certificate or policy.json refuses is
// another matter.
func Unreachable(err error) bool {
	var status docker.UnexpectedHTTPStatusError
	if errors.As(err, &status) {
		return status.StatusCode >= 500 || status.StatusCode == 429
	}
	var dns *net.DNSError
	var request *url.Error
	return errors.As(err, &dns) || isNetwork(err) || errors.As(err, &request) && errors.Is(err, context.DeadlineExceeded)
}
