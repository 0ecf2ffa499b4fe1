# SPDX-License-Identifier: Apache-2.0
# Images that are not what they say are refused, and nothing of them is published.
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(published)

# refused IMAGE WORD…: with a message that has the words.
refused() {
	local image=$1
	shift
	fails syscontainer pull "$image" 2>/tmp/said
	cat /tmp/said
	says "$@" /tmp/said
	test "$(published)" = "$before"
	sound
}
refused oci:/srv/oci:bad-digest digest
refused oci:/srv/oci:bad-diffid diff
refused oci:/srv/oci:bad-blob bad-blob
refused oci:/srv/oci:bad-tar bad-tar
refused oci:/srv/oci:bad-media application/vnd.example.unknown
refused oci:/srv/oci:bad-config bad-config
refused oci:/srv/oci:other s390x
refused oci:/srv/oci:nothing nothing
refused oci:/srv/nowhere:1 /srv/nowhere
refused 127.0.0.1:5000/flipped:1 flipped
refused 127.0.0.1:5000/short:1 short
refused 127.0.0.1:5000/other:1 s390x
refused 127.0.0.1:5000/absent:1 absent

# The policy is obeyed.
echo '{"default":[{"type":"reject"}]}' >/etc/containers/policy.json
refused 127.0.0.1:5000/sibling:1 sibling
