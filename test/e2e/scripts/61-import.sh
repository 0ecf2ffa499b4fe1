# SPDX-License-Identifier: Apache-2.0
# A .container file of Quadlet's becomes a unit that starts, and does inside what it did.
# disk: /var/lib/syscontainer 300M
registry
d=/etc/containers/systemd
mkdir -p $d /srv/config
echo configured >/srv/config/file
cat >$d/app.container <<'END'
# Ours since 2021.
[Unit]
Description=App

[Container]
Image=app.image
AutoUpdate=registry
Exec=/bin/sh -c 'cat /config/file /run/credentials/token; echo "$$GREETING $$(id -u) $$(hostname)"; touch /data/here; exec sleep 1000'
Environment=GREETING=hello
User=1000
HostName=app
Volume=/srv/config:/config:ro,z
Volume=data:/data
Secret=token
PublishPort=8080:80
PodmanArgs=--cap-drop=ALL --pids-limit 50
HealthCmd=true

[Service]
Restart=on-failure
KillMode=control-group

[Install]
WantedBy=multi-user.target
END
printf '[Image]\nImage=127.0.0.1:5000/base:1\n' >$d/app.image
snapshot $d >/tmp/before
syscontainer import -o /tmp $d/app.container 2>/tmp/said
cat /tmp/said /tmp/app.syscontainer
snapshot $d | diff /tmp/before -
grep -qx Network=bridge /tmp/app.syscontainer
grep -qx PublishPort=8080:80 /tmp/app.syscontainer
says app.container:13: Volume= /var/lib/app/data /tmp/said
says app.container:21: KillMode= /tmp/said
says /var/lib/containers/storage/volumes/data/_data /tmp/said
says 'app.container: becomes app.service, too' /tmp/said
grep -qx '# Ours since 2021.' /tmp/app.syscontainer
grep -qx '# not kept: KillMode=control-group' /tmp/app.syscontainer

# What the messages say is to be done.
mkdir -p -m 700 /etc/credstore
echo sesame >/etc/credstore/token
syscontainer import -o $d $d/app.container 2>/tmp/said
fails syscontainer import -o $d $d/app.container 2>/tmp/said
says 'exists already' /tmp/said
rm $d/app.container $d/app.image
syscontainer check >/tmp/said
cat /tmp/said
fails grep error: /tmp/said
systemctl daemon-reload
syscontainer pull 127.0.0.1:5000/base:1
systemctl start app
logged app configured
logged app sesame
logged app hello 1000 app
test "$(stat -c %u /var/lib/app/data /var/lib/app/data/here | sort -u)" = 1000
test "$(show app TasksMax)" = 50
test "$(show app ActiveState)" = active
