// SPDX-License-Identifier: Apache-2.0

package image

// hello ends at once on SIGTERM, which a process 1 has to ask for.
const hello = `#!/bin/sh
trap 'echo "hello: bye"; exit 0' TERM
echo "$GREETING" >/srv/www/index.html
echo "hello: process $$ listens on port 8080 as $(id -un)"
httpd -f -p 8080 -h /srv/www &
wait
`

// Hello is the image of examples/hello.syscontainer, around the static busybox at path.
func Hello(path string) (Image, error) {
	busybox, err := Busybox(path)
	if err != nil {
		return Image{}, err
	}
	own := []Entry{Dir("srv/www", 0o1777), File("bin/hello", 0o755, hello)}
	return Image{
		Layers: []Layer{{Entries: busybox}, {Entries: own}},
		Config: Config{Cmd: []string{"/bin/hello"}, Env: []string{"PATH=/bin"}},
	}, nil
}
