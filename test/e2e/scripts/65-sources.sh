# SPDX-License-Identifier: Apache-2.0
# Every way to name an image: registries with and without TLS and password, an index, Docker's media types, archives.
registry
secure_registry
syscontainer pull 127.0.0.1:5000/multi:1
test "$(cat "$(rootfs 5000/multi:1)/etc/which")" = native
syscontainer pull 127.0.0.1:5000/docker:1
syscontainer pull docker://127.0.0.1:5000/sibling:1
syscontainer pull oci:/srv/oci:base
skopeo copy -q --insecure-policy oci:/srv/oci:multi oci-archive:/tmp/multi.tar:x
syscontainer pull oci-archive:/tmp/multi.tar:x
skopeo copy -q --insecure-policy oci:/srv/oci:base docker-archive:/tmp/docker.tar:example.com/base:1
syscontainer pull docker-archive:/tmp/docker.tar
digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://127.0.0.1:5000/base:1)
syscontainer pull "127.0.0.1:5000/base@$digest"
test "$(rootfs "base@$digest")" = "$(rootfs oci:/srv/oci:base)"

# TLS: an unknown authority is refused, a known one accepted, the password asked for.
fails syscontainer pull 127.0.0.1:5001/base:1 2>/tmp/said
says certificate /tmp/said
mkdir -p /etc/containers/certs.d/127.0.0.1:5001
cp /etc/registry/ca.pem /etc/containers/certs.d/127.0.0.1:5001/ca.crt
fails syscontainer pull 127.0.0.1:5001/base:1 2>/tmp/said
cat /tmp/said
fails grep -i certificate /tmp/said
says auth /tmp/said
printf '{"auths":{"127.0.0.1:5001":{"auth":"%s"}}}\n' "$(printf someone:wrong | base64)" >/etc/containers/auth.json
fails syscontainer pull 127.0.0.1:5001/base:1
printf '{"auths":{"127.0.0.1:5001":{"auth":"%s"}}}\n' "$(printf someone:secret | base64)" >/etc/containers/auth.json
syscontainer pull 127.0.0.1:5001/base:1

# The same from the start path, where there is no session.
container secure-app <<'END'
[Container]
Image=127.0.0.1:5001/sibling:1
Exec=/bin/sleep 1000
END
systemctl start secure-app
sound

# And with a credential of the unit's own, which nobody else can read.
systemctl stop secure-app
mv /etc/containers/auth.json /root/auth.json
chmod 600 /root/auth.json
syscontainer rmi 127.0.0.1:5001/base:1
container own-credential <<'END'
[Container]
Image=127.0.0.1:5001/base:1
Exec=/bin/sleep 1000
[Service]
LoadCredential=syscontainer.auth:/root/auth.json
END
fails syscontainer pull 127.0.0.1:5001/base:1
systemctl start own-credential
sound
