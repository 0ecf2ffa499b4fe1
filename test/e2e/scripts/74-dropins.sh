# SPDX-License-Identifier: Apache-2.0
# Vendor, admin and runtime files in systemd's manner: the first name wins, drop-ins of all of them apply, a reload shows it.
registry
mkdir -p /usr/share/containers/systemd /run/containers/systemd/app.syscontainer.d /etc/containers/systemd/app.syscontainer.d
printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sh -c "echo $A $B $C; exec sleep 1000"\nEnvironment=A=vendor B=vendor C=vendor\n' >/usr/share/containers/systemd/app.syscontainer
printf '[Container]\nEnvironment=B=admin\n' >/etc/containers/systemd/app.syscontainer.d/20-admin.conf
printf '[Container]\nEnvironment=C=runtime\n[Service]\nEnvironment=UNUSED=1\n' >/run/containers/systemd/app.syscontainer.d/30-runtime.conf
systemctl daemon-reload
systemctl start app
logged app 'vendor admin runtime'

# What runs is what systemd loaded: it shows in `systemctl cat`, and a change waits for the reload.
systemctl cat app >/tmp/cat
grep -q '^\[X-Container\]$' /tmp/cat
printf '[Container]\nEnvironment=B=changed\n' >/etc/containers/systemd/app.syscontainer.d/20-admin.conf
systemctl restart app
journal app
fails grep changed /tmp/journal
systemctl daemon-reload
systemctl restart app
logged app 'vendor changed runtime'

printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sh -c "echo admin file; exec sleep 1000"\n' >/etc/containers/systemd/app.syscontainer
systemctl daemon-reload
systemctl restart app
logged app 'admin file'
