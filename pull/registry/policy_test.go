package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	imgspec "github.com/opencontainers/image-spec/specs-go/v1"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

type requirements []map[string]any

// policy writes policy.json: reject, but for the repositories of the front.
func (s *site) policy(scopes map[string]requirements) {
	s.t.Helper()
	docker := map[string]requirements{}
	for scope, r := range scopes {
		docker[s.front.Address+"/"+scope] = r
	}
	b, err := json.Marshal(map[string]any{
		"default":    requirements{{"type": "reject"}},
		"transports": map[string]any{"docker": docker},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("etc/containers/policy.json", string(b))
}

// refused checks that an image is refused for that reason, by that policy, and
// that nothing of it but manifests and signatures was asked for.
func (s *site) refused(name, reason string) {
	s.t.Helper()
	before := s.layersAsked()
	_, _, err := s.resolve(name)
	policy := filepath.Join(s.root, "etc/containers/policy.json")
	if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), policy) {
		s.t.Errorf("%s: error %v, want %q by %s", name, err, reason, policy)
	}
	if after := s.layersAsked(); after != before {
		s.t.Errorf("%s: %d blobs were asked for", name, after-before)
	}
}

// layersAsked counts requests of blobs that are no signatures.
func (s *site) layersAsked() int {
	n := s.front.Asked("/blobs/")
	for _, digest := range s.signatures {
		n -= s.front.Asked("/blobs/" + digest)
	}
	return n
}

// allowed checks that an image is resolved and a layer of it can be had.
func (s *site) allowed(name string) {
	s.t.Helper()
	src, got, err := s.resolve(name)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
		return
	}
	if _, err := read(s.t.Context(), src, got.Layers[0]); err != nil {
		s.t.Errorf("%s: %v", name, err)
	}
}

func TestPolicyWithoutSignatures(t *testing.T) {
	s := newSite(t, nil)
	s.push("open/app")
	s.push("closed/app")
	s.policy(map[string]requirements{
		"open":       {{"type": "insecureAcceptAnything"}},
		"open/other": {{"type": "reject"}},
	})
	s.allowed("open/app")
	s.refused("closed/app", "is rejected by policy")

	for _, c := range []struct{ content, err string }{
		{`{"default":[]}`, "requirements must not be empty"},
		{`{"default":[{"type":"reject"}],"transport":{}}`, `Unknown key "transport"`},
		{`{"default":[{"type":"signedBy","keyType":"GPGKeys"}]}`, "Exactly one of keyPath"},
		{`{"default":[{"type":"insecureAcceptEverything"}]}`, "insecureAcceptEverything"},
		{`{"default":[{"type":"insecureAcceptAnything"}]`, "unexpected end of JSON input"},
		{"", "unexpected end of JSON input"},
	} {
		s.write("etc/containers/policy.json", c.content)
		s.refused("open/app", c.err)
	}
	if err := os.Remove(filepath.Join(s.root, "etc/containers/policy.json")); err != nil {
		t.Fatal(err)
	}
	s.refused("open/app", "no signature policy, so nothing is allowed")
	s.write("usr/share/containers/policy.json", acceptAll)
	s.allowed("open/app")
	t.Setenv("CONTAINERS_POLICY_JSON", filepath.Join(s.root, "gone.json"))
	if _, _, err := s.resolve("open/app"); err == nil || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("a policy that was named and is not there: %v", err)
	}
}

// gpgKey makes a key pair in a keyring of its own.
func (s *site) gpgKey(name string) (home, fingerprint, public string) {
	s.t.Helper()
	home, err := os.MkdirTemp("", "gpg") // the agent's socket wants a short path
	if err != nil {
		s.t.Fatal(err)
	}
	env := append(os.Environ(), "GNUPGHOME="+home)
	s.t.Cleanup(func() {
		stop := exec.Command("gpgconf", "--kill", "all")
		stop.Env = env
		stop.Run()
		os.RemoveAll(home)
	})
	public = filepath.Join(s.root, name+".gpg")
	gpg := func(args ...string) string {
		cmd := exec.Command("gpg", append([]string{"--batch", "--quiet", "--passphrase", ""}, args...)...)
		cmd.Env = env
		out, err := cmd.Output()
		if err != nil {
			s.t.Fatalf("gpg %q: %v", args, err)
		}
		return string(out)
	}
	gpg("--quick-gen-key", name+" <"+name+"@example.org>", "ed25519", "sign", "1d")
	gpg("--output", public, "--export", name)
	_, keys, _ := strings.Cut(gpg("--list-keys", "--with-colons"), "\nfpr:::::::::")
	fingerprint, _, _ = strings.Cut(keys, ":")
	return home, fingerprint, public
}

// Simple signing: gpg and skopeo sign, a folder (lookaside) keeps.
func TestSimpleSigning(t *testing.T) {
	host.Need(t, "gpg")
	s := newSite(t, nil)
	lookaside := filepath.Join(s.root, "signatures")
	home, fingerprint, public := s.gpgKey("signer")
	_, _, stranger := s.gpgKey("stranger")
	s.write("etc/containers/registries.d/here.yaml", "docker:\n  "+s.front.Address+":\n    lookaside: file://"+lookaside+"\n")
	signed := requirements{{"type": "signedBy", "keyType": "GPGKeys", "keyPath": public}}

	sign := func(name, identity string) string {
		t.Helper()
		t.Setenv("GNUPGHOME", home)
		digest := s.push(name, "--remove-signatures", "--sign-by="+fingerprint, "--sign-identity="+identity,
			"--registries.d="+s.signingSite(lookaside))
		return digest
	}
	app := sign("app:1", s.front.Address+"/app:1")
	sign("renamed:1", s.front.Address+"/app:2")
	s.push("unsigned:1")
	lent := map[string]any{"type": "signedBy", "keyType": "GPGKeys", "keyPath": public,
		"signedIdentity": map[string]string{"type": "exactReference", "dockerReference": s.front.Address + "/app:1"}}
	s.policy(map[string]requirements{
		"app": signed, "renamed": signed, "unsigned": signed, "copied": signed,
		"by-stranger": {{"type": "signedBy", "keyType": "GPGKeys", "keyPath": stranger}},
		"no-key":      {{"type": "signedBy", "keyType": "GPGKeys", "keyPath": filepath.Join(s.root, "gone.gpg")}},
		"both":        {lent, {"type": "signedBy", "keyType": "GPGKeys", "keyPath": stranger}},
		"lent":        {lent},
	})
	s.allowed("app:1")
	s.allowed("app@" + app)
	s.refused("unsigned:1", "A signature was required, but no signature exists")
	s.refused("renamed:1", `Signature for identity "`+s.front.Address+`/app:2" is not accepted`)

	// The same signature, below the names of others.
	copyOf := func(name string) {
		t.Helper()
		s.pushCopy(name, "app:1")
		from, to := filepath.Join(lookaside, "app@"+strings.Replace(app, ":", "=", 1)), filepath.Join(lookaside, name+"@"+strings.Replace(app, ":", "=", 1))
		if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for name, reason := range map[string]string{
		"by-stranger": "Key not found for key ID",
		"no-key":      "gone.gpg",
		"both":        "Key not found for key ID",
		"copied":      "is not accepted",
	} {
		copyOf(name)
		s.refused(name+":1", reason)
	}

	copyOf("lent")
	s.allowed("lent:1")

	// A tag moves on; the signature stays with what was signed.
	other := s.pushImage("app:1", image.Image{Config: image.Config{Cmd: []string{"/evil"}}})
	if other == app {
		t.Fatal("the second image is the first one")
	}
	to := filepath.Join(lookaside, "app@"+strings.Replace(other, ":", "=", 1))
	if err := os.Rename(filepath.Join(lookaside, "app@"+strings.Replace(app, ":", "=", 1)), to); err != nil {
		t.Fatal(err)
	}
	s.refused("app:1", "does not match")

	// A damaged one.
	if err := os.Rename(to, filepath.Join(lookaside, "app@"+strings.Replace(app, ":", "=", 1))); err != nil {
		t.Fatal(err)
	}
	s.allowed("app@" + app)
	path := filepath.Join(lookaside, "app@"+strings.Replace(app, ":", "=", 1), "signature-1")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	s.refused("app@"+app, "ignature")
}

// pushCopy copies what is in the registry under another name.
func (s *site) pushCopy(name, from string) {
	s.t.Helper()
	out, err := exec.Command("skopeo", "copy", "--quiet", "--insecure-policy", "--remove-signatures", "--src-tls-verify=false", "--dest-tls-verify=false",
		"docker://"+s.real.Address+"/"+from, "docker://"+s.real.Address+"/"+name+":1").CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// signingSite is a registries.d for skopeo, which pushes past the front.
func (s *site) signingSite(lookaside string) string {
	s.t.Helper()
	return filepath.Dir(s.write("signing.d/here.yaml", fmt.Sprintf("docker:\n  %s:\n    lookaside: file://%s\n", s.real.Address, lookaside)))
}

// sigstoreKey makes a key pair as cosign would. Cosign's specification asks
// for ECDSA on P-256.
func (s *site) sigstoreKey(name string) (private *ecdsa.PrivateKey, public string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	return private, s.write(name+".pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
}

// attach signs a manifest digest for an identity and puts the signature beside
// the manifest that has the digest beside, as cosign's SIGNATURE_SPEC.md says.
func (s *site) attach(key *ecdsa.PrivateKey, name, digest, identity, beside string) {
	s.t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, identity, digest)
	hash := sha256.Sum256(payload)
	raw, err := ecdsa.SignASN1(rand.Reader, key, hash[:])
	if err != nil {
		s.t.Fatal(err)
	}
	l := newLayout(s.t)
	blob := l.blob("application/vnd.dev.cosign.simplesigning.v1+json", payload)
	blob.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(raw)}
	s.signatures = append(s.signatures, blob.Digest.String())
	l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, imgspec.Image{}), blob)))
	if err := s.real.Push("oci:"+l.dir+":1", name+":"+strings.Replace(beside, ":", "-", 1)+".sig"); err != nil {
		s.t.Fatal(err)
	}
}

// Sigstore signatures with a key, kept beside the image in its registry.
func TestSigstore(t *testing.T) {
	s := newSite(t, nil)
	key, public := s.sigstoreKey("signer")
	strange, _ := s.sigstoreKey("stranger")
	attachments := func(yes bool) {
		s.write("etc/containers/registries.d/here.yaml", fmt.Sprintf("docker:\n  %s:\n    use-sigstore-attachments: %v\n", s.front.Address, yes))
	}
	attachments(true)
	signed := requirements{{"type": "sigstoreSigned", "keyPath": public}}
	s.policy(map[string]requirements{
		"app": signed, "renamed": signed, "unsigned": signed, "strange": signed, "moved": signed,
		"no-key": {{"type": "sigstoreSigned", "keyPath": filepath.Join(s.root, "gone.pub")}},
	})
	here := s.front.Address + "/"

	app := s.push("app:1")
	s.attach(key, "app", app, here+"app:1", app)
	s.allowed("app:1")
	s.allowed("app@" + app)

	unsigned := s.push("unsigned:1")
	s.refused("unsigned:1", "A signature was required, but no signature exists")
	renamed := s.push("renamed:1")
	s.attach(key, "renamed", renamed, here+"renamed:2", renamed)
	s.refused("renamed:1", "renamed:2\" is not accepted")
	by := s.push("strange:1")
	s.attach(strange, "strange", by, here+"strange:1", by)
	s.refused("strange:1", "cryptographic signature verification failed")
	moved := s.push("moved:1")
	s.attach(key, "moved", unsigned, here+"moved:1", moved)
	s.refused("moved:1", "does not match")
	noKey := s.push("no-key:1")
	s.attach(key, "no-key", noKey, here+"no-key:1", noKey)
	s.refused("no-key:1", "gone.pub")

	// Nobody looks where nobody said that they are.
	attachments(false)
	s.refused("app:1", "A signature was required, but no signature exists")
}

// A registry that does not answer for signatures has not said that there are none.
func TestSignaturesAway(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if strings.HasSuffix(r.URL.Path, ".sig") {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		pass(w, r)
	})
	_, public := s.sigstoreKey("signer")
	s.write("etc/containers/registries.d/here.yaml", "default-docker:\n  use-sigstore-attachments: true\n")
	s.policy(map[string]requirements{"app": {{"type": "sigstoreSigned", "keyPath": public}}})
	s.push("app:1")
	s.refused("app:1", "get the signatures that")
	if n := s.front.Asked(".sig"); n != 1+len(pauses) {
		t.Errorf("asked %d times", n)
	}
}
