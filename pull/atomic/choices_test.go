package atomic

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestChoices(t *testing.T) {
	manifest, err := ParseManifest([]byte(`{"defaultValues": {"PORT": "8081", "ON": true, "STATE_DIRECTORY": "/dead", "NUMBER": 3}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, values string
		want         []string
	}{
		{"everything by default", `{"NAME": "web", "DESTDIR": "/x/web.0", "HOST_UID": 0, "HOST_GID": 0, "IMAGE_ID": "ab", "EXEC_START": "runc",
			"RUN_DIRECTORY": "/run", "PIDFILE": "/run/container-web.pid", "CONF_DIRECTORY": "/etc", "STATE_DIRECTORY": "/var/lib",
			"RUNTIME": "/usr/bin/runc", "ATOMIC": "/usr/bin/atomic", "ALL_PROCESS_CAPABILITIES": "\"CAP_CHOWN\"\n", "PORT": "8081", "ON": true, "NUMBER": 3}`, nil},
		{"chosen", `{"PORT": "90", "STATE_DIRECTORY": "/srv", "UUID": "1-2", "OTHER": ""}`, []string{"OTHER=", "PORT=90", "STATE_DIRECTORY=/srv", "UUID=1-2"}},
		// A default of the manifest for what the system gives was never used: this value is somebody's.
		{"a dead default", `{"STATE_DIRECTORY": "/dead"}`, []string{"STATE_DIRECTORY=/dead"}},
		{"below another directory", `{"RUN_DIRECTORY": "/r", "PIDFILE": "/r/container-web.pid"}`, []string{"RUN_DIRECTORY=/r"}},
		{"not below it", `{"RUN_DIRECTORY": "/r", "PIDFILE": "/run/container-web.pid"}`, []string{"PIDFILE=/run/container-web.pid", "RUN_DIRECTORY=/r"}},
		{"no texts", `{"NUMBER": 4, "ON": false, "NOTHING": null}`, []string{"NOTHING=None", "NUMBER=4", "ON=False"}},
		{"any characters", `{"A": "\"\\ %\n$"}`, []string{"A=\"\\ %\n$"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var recorded map[string]json.RawMessage
			if err := json.Unmarshal([]byte(test.values), &recorded); err != nil {
				t.Fatal(err)
			}
			set, err := Choices(recorded, "web", manifest)
			if err != nil || !slices.Equal(set, test.want) {
				t.Errorf("got %q, %v, want %q", set, err, test.want)
			}
		})
	}
	_, err = Choices(map[string]json.RawMessage{"A B": json.RawMessage(`"x"`), "": json.RawMessage(`"x"`)}, "web", manifest)
	if err == nil || strings.Count(err.Error(), "no name of a variable") != 2 {
		t.Errorf("names that are none: %v", err)
	}
}
