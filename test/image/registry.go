// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Registry is how a docker-registry (distribution 2.8) is set up.
type Registry struct {
	Address string // host:port to listen on
	Storage string // folder; may be read-only when nothing is pushed
	// Certificate and Key are paths of PEM files for https.
	Certificate, Key string
	// Htpasswd is the path of a file for basic authentication.
	Htpasswd string
}

// Config is the registry's configuration file.
func (r Registry) Config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: %s\n", r.Storage)
	fmt.Fprintf(&b, "  delete:\n    enabled: true\n  maintenance:\n    uploadpurging:\n      enabled: false\nhttp:\n  addr: %s\n", r.Address)
	if r.Certificate != "" {
		fmt.Fprintf(&b, "  tls:\n    certificate: %s\n    key: %s\n", r.Certificate, r.Key)
	}
	if r.Htpasswd != "" {
		fmt.Fprintf(&b, "auth:\n  htpasswd:\n    realm: test\n    path: %s\n", r.Htpasswd)
	}
	return b.String()
}

// User and Password are the only ones in Htpasswd.
const (
	User     = "someone"
	Password = "secret"
	// Htpasswd is the content of a password file, in bcrypt as docker-registry wants it.
	Htpasswd = "someone:$2a$05$uiwylfdvNoiNqtvyx5pnV.imOwBLdIzMDX4ZO4ZfHo/lT/0FdUagq\n"
)

// Running is a registry on this machine's loopback interface.
type Running struct {
	Address string
	cmd     *exec.Cmd
	dir     string
}

// Serve starts program on a free port with plain http and waits until it answers. It ends with the caller's thread.
func Serve(program, storage string) (*Running, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	dir, err := os.MkdirTemp("", "syscontainer-registry-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte(Registry{Address: address, Storage: storage}.Config()), 0o644); err != nil {
		return nil, err
	}
	var log bytes.Buffer
	r := &Running{Address: address, cmd: exec.Command(program, "serve", config), dir: dir}
	r.cmd.Stdout, r.cmd.Stderr = &log, &log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return r, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.Close()
	return nil, fmt.Errorf("%s does not listen on %s: %s", program, address, log.String())
}

// Close stops the registry; what was pushed stays in its storage.
func (r *Running) Close() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
	os.RemoveAll(r.dir)
}

// Push copies oci:DIR:TAG, or another name skopeo(1) knows, to NAME:TAG of the registry.
func (r *Running) Push(source, name string, options ...string) error {
	args := append([]string{"copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--multi-arch=all"}, options...)
	out, err := exec.Command("skopeo", append(args, source, "docker://"+r.Address+"/"+name)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("push %s: %w: %s", name, err, out)
	}
	return nil
}

// BlobPath is where a registry keeps a blob below its storage folder.
func BlobPath(storage, hex string) string {
	return filepath.Join(storage, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")
}

// Authority is a certificate authority of a test, and a certificate of it for the loopback interface and every host of
// the domain test, good for servers and clients, all in PEM.
type Authority struct{ CA, Certificate, Key string }

// NewAuthority makes one that is valid for a day.
func NewAuthority() (Authority, error) {
	var a Authority
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "registry of a test"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost", "*.test"},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return a, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return a, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return a, err
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return Authority{CA: encode("CERTIFICATE", caDER), Certificate: encode("CERTIFICATE", leafDER), Key: encode("EC PRIVATE KEY", keyDER)}, nil
}
