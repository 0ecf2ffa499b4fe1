package registry

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/image"
)

const secret = "a-secret-word"

// members lets only someone in who has the secret.
func members(user string) image.Behaviour {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if name, password, ok := r.BasicAuth(); !ok || name != user || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		pass(w, r)
	}
}

func auths(key, user, password string) string {
	return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, key, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

func TestAuthFiles(t *testing.T) {
	s := newSite(t, members("me"))
	s.push("lib/app:1")
	host := s.front.Address
	good, wrong, other := auths(host, "me", secret), auths(host, "me", "wrong"), auths("example.org", "me", secret)

	const none = "" // no error
	for _, c := range []struct {
		name  string
		files map[string]string
		env   map[string]string // values are paths below the root
		o     Options
		err   string
	}{
		{"nobody", nil, nil, Options{}, "unauthorized"},
		{"wrong", map[string]string{"etc/containers/auth.json": wrong}, nil, Options{}, "unauthorized"},
		{"the host's file", map[string]string{"etc/containers/auth.json": good}, nil, Options{}, none},
		{"by repository", map[string]string{"etc/containers/auth.json": auths(host+"/lib", "me", secret)}, nil, Options{}, none},
		{"another repository", map[string]string{"etc/containers/auth.json": auths(host+"/bin", "me", secret)}, nil, Options{}, "unauthorized"},
		{"image-based", map[string]string{"usr/lib/ostree/auth.json": good}, nil, Options{}, none},
		{"a person's", map[string]string{"containers/auth.json": good}, nil, Options{}, none},
		{"named", map[string]string{"my.json": good}, nil, Options{AuthFile: "my.json"}, none},
		{"named, nothing else", map[string]string{"my.json": other, "etc/containers/auth.json": good}, nil, Options{AuthFile: "my.json"}, "unauthorized"},
		{"named and gone", nil, nil, Options{AuthFile: "gone.json"}, "gone.json"},
		{"in the environment", map[string]string{"my.json": good}, map[string]string{"REGISTRY_AUTH_FILE": "my.json"}, Options{}, none},
		{"in the environment and gone", nil, map[string]string{"REGISTRY_AUTH_FILE": "gone.json"}, Options{}, "gone.json"},
		{"systemd's", map[string]string{"creds/syscontainer.auth": good}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{}, none},
		{"systemd's first", map[string]string{"creds/syscontainer.auth": good, "etc/containers/auth.json": wrong, "my.json": wrong}, map[string]string{"CREDENTIALS_DIRECTORY": "creds", "REGISTRY_AUTH_FILE": "my.json"}, Options{}, none},
		{"systemd's wrong", map[string]string{"creds/syscontainer.auth": wrong, "etc/containers/auth.json": good}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{}, "unauthorized"},
		{"systemd's for others", map[string]string{"creds/syscontainer.auth": other, "etc/containers/auth.json": good}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{}, none},
		{"systemd's, but none for us", map[string]string{"creds/else": "x", "etc/containers/auth.json": good}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{}, none},
		{"systemd's, but one was named", map[string]string{"creds/syscontainer.auth": wrong, "my.json": good}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{AuthFile: "my.json"}, none},
		{"systemd's broken", map[string]string{"creds/syscontainer.auth": `{"auths":` + secret}, map[string]string{"CREDENTIALS_DIRECTORY": "creds"}, Options{}, "syscontainer.auth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &site{t: t, root: newRoot(t), front: s.front}
			s.write("etc/containers/policy.json", acceptAll)
			s.registries("")
			for path, content := range c.files {
				s.write(path, content)
			}
			for name, path := range c.env {
				t.Setenv(name, filepath.Join(s.root, path))
			}
			if c.o.AuthFile != "" {
				c.o.AuthFile = filepath.Join(s.root, c.o.AuthFile)
			}
			_, _, err := s.resolveWith(host+"/lib/app:1", c.o)
			if c.err == none && err != nil || c.err != none && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// A mirror has credentials of its own, and never gets those of the origin.
func TestMirrorCredentials(t *testing.T) {
	s := newSite(t, members("me"))
	s.push("lib/app:1")
	var sent string
	mirror := s.newFront(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if name, _, _ := r.BasicAuth(); name != "" {
			sent = name
		}
		members("mirror")(w, r, pass)
	})
	// Two names of one host are two registries.
	other := strings.Replace(mirror.Address, "127.0.0.1", "localhost", 1)
	s.registries(fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n[[registry.mirror]]\nlocation = %q\ninsecure = true\n", s.front.Address+"/lib", other+"/lib"))
	s.write("etc/containers/auth.json", auths(s.front.Address, "me", secret))

	if _, _, err := s.resolve("lib/app:1"); err != nil {
		t.Errorf("from the origin: %v", err)
	}
	if sent != "" {
		t.Errorf("the mirror got the password of %q", sent)
	}
	origins := s.front.Asked("/lib/")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(s.write("creds/syscontainer.auth", auths(other, "mirror", secret))))
	if _, _, err := s.resolve("lib/app:1"); err != nil {
		t.Errorf("from the mirror: %v", err)
	}
	if n := s.front.Asked("/lib/") - origins; sent != "mirror" || n != 0 {
		t.Errorf("the mirror got the password of %q, the origin was asked %d times", sent, n)
	}
}

// A token server gets the password, the registry only the token.
func TestBearerToken(t *testing.T) {
	var s *site
	s = newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		switch {
		case r.URL.Path == "/token":
			if _, password, _ := r.BasicAuth(); password != secret || r.FormValue("scope") != "repository:lib/app:pull" {
				http.Error(w, "who?", http.StatusUnauthorized)
				return
			}
			fmt.Fprint(w, `{"token":"granted"}`)
		case r.Header.Get("Authorization") == "Bearer granted":
			pass(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	s.push("lib/app:1")
	if _, _, err := s.resolve("lib/app:1"); err == nil {
		t.Error("without a password")
	}
	s.write("etc/containers/auth.json", auths(s.front.Address, "me", secret))
	s.allowed("lib/app:1")
}

// A credential helper is a program; it is asked on its standard input.
func TestCredentialHelper(t *testing.T) {
	s := newSite(t, members("me"))
	s.push("lib/app:1")
	host := s.front.Address
	log := filepath.Join(s.root, "log")
	helper := func(name, body string) {
		path := s.write("bin/docker-credential-"+name, "#!/bin/sh\n{ echo \"$0 $*\"; tee "+s.root+"/asked; } >>"+log+"\n"+body)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	answer := fmt.Sprintf(`echo '{"ServerURL":"%s","Username":"me","Secret":"%s"}'`, host, secret)
	helper("good", answer)
	helper("bad", "echo no such thing; exit 1")
	t.Setenv("PATH", filepath.Join(s.root, "bin")+":"+os.Getenv("PATH"))

	for _, c := range []struct{ name, auth, registries, err string }{
		{"of the auth file", fmt.Sprintf(`{"credHelpers":{%q:"good"}}`, host), "", ""},
		{"of registries.conf", "{}", `credential-helpers = ["good"]`, ""},
		{"after the files", auths("example.org", "me", secret), `credential-helpers = ["containers-auth.json", "good"]`, ""},
		{"failing", fmt.Sprintf(`{"credHelpers":{%q:"bad"}}`, host), "", "credentials for " + host + "/lib/app: "},
		{"missing", fmt.Sprintf(`{"credHelpers":{%q:"gone"}}`, host), "", "docker-credential-gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.write("etc/containers/auth.json", c.auth)
			s.registries(c.registries)
			_, _, err := s.resolve("lib/app:1")
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
	asked, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(asked), "docker-credential-good get\n"+host) {
		t.Errorf("the helper was asked %q, %v", asked, err)
	}
}
