# SPDX-License-Identifier: Apache-2.0
# cat shows the unit of vendor, administrator and runtime as one file that means the same, each line with its origin.
generator=/usr/lib/systemd/system-generators/syscontainer-generator
mkdir -p /usr/share/containers/systemd /{etc,run}/containers/systemd/app.syscontainer.d
cat >/usr/share/containers/systemd/app.syscontainer <<'END'
# The vendor's.
[Unit]
Description=App

[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c "echo $A $B \
# of one, and of another
  $C; exec sleep 1000"
Environment=A=vendor B=vendor C=vendor
[Install]
WantedBy=multi-user.target
END
printf '[Container]\nEnvironment=B=admin\n' >/etc/containers/systemd/app.syscontainer.d/20-admin.conf
printf '[Container]\nEnvironment=C=runtime\n[Service]\nEnvironment=UNUSED=1\n[Install]\nWantedBy=\n' >/run/containers/systemd/app.syscontainer.d/30-runtime.conf
ln -s /dev/null /etc/containers/systemd/masked.syscontainer
syscontainer cat app | tee /tmp/app
grep -qx '# /usr/share/containers/systemd/app.syscontainer:6-10' /tmp/app
grep -A1 -x '# /etc/containers/systemd/app.syscontainer.d/20-admin.conf:2' /tmp/app | grep -qx Environment=B=admin
grep -A1 -x '# /run/containers/systemd/app.syscontainer.d/30-runtime.conf:2' /tmp/app | grep -qx Environment=C=runtime

# The service is the one that systemd loaded, and the one that comes of what was printed.
systemctl daemon-reload
syscontainer cat --service app >/tmp/service
diff /tmp/service /run/systemd/generator/app.service
mkdir -p /tmp/root/etc/containers/systemd /tmp/out
cp /tmp/app /tmp/root/etc/containers/systemd/app.syscontainer
$generator --root=/tmp/root /tmp/out
diff <(grep -v ^SourcePath= /tmp/service) <(grep -v ^SourcePath= /tmp/out/app.service)
test ! -e /tmp/out/multi-user.target.wants

fails syscontainer cat apq 2>/tmp/said
says 'no unit "apq"' /tmp/said
says 'did you mean app?' /tmp/said
fails syscontainer cat masked 2>/tmp/said
says masked /etc/containers/systemd/masked.syscontainer /tmp/said
