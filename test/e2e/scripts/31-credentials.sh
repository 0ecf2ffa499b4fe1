# SPDX-License-Identifier: Apache-2.0
# Credentials of the service are the payload's to read, and nobody else's: where $CREDENTIALS_DIRECTORY says, not to be written,
# gone with the stop.
registry
mkdir -p /etc/credstore
echo 'from a file' >/srv/file
echo 'from the credential store' >/etc/credstore/app.imported
chmod 600 /srv/file /etc/credstore/app.imported
import=
[ "$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')" -lt 254 ] || import='ImportCredential=app.*'
for user in 0 1234; do
	container app-$user <<X
[Container]
Image=127.0.0.1:5000/base:1
User=$user
Credential=own:/srv/file
Exec=/bin/sh -c 'cd "\$CREDENTIALS_DIRECTORY" && for f in *; do echo "\$f: \$(cat \$f)"; done; touch new || echo no touch; echo x >own || echo no write; id -u; trap "exit 0" TERM; while :; do sleep 0.05; done'

[Service]
LoadCredential=loaded:/srv/file
SetCredential=set:from the unit
$import
X
	systemctl start app-$user
	logged app-$user 'no write'
	says 'own: from a file' /tmp/journal
	says 'loaded: from a file' /tmp/journal
	says 'set: from the unit' /tmp/journal
	[ -z "$import" ] || says 'app.imported: from the credential store' /tmp/journal
	says 'no touch' /tmp/journal
	# Another user of the machine cannot read them, by no path.
	inside=/proc/$(show app-$user MainPID)/root$(tr '\0' '\n' <"/proc/$(show app-$user MainPID)/environ" | sed -n 's/^CREDENTIALS_DIRECTORY=//p')
	test "$(cat "$inside/own")" = 'from a file'
	fails setpriv --reuid 4321 --regid 4321 --clear-groups cat "/run/credentials/app-$user.service/own"
	fails setpriv --reuid 4321 --regid 4321 --clear-groups ls "/run/syscontainer/app-$user"
	systemctl stop app-$user
	test ! -e /run/syscontainer/app-$user
	test ! -e /run/credentials/app-$user.service
done
# One that is missing fails the start.
container lacking <<'X'
[Container]
Image=127.0.0.1:5000/base:1
Credential=token:/srv/absent
Exec=/bin/true
X
fails systemctl start lacking
logged lacking CREDENTIALS
