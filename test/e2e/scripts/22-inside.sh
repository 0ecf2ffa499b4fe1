# SPDX-License-Identifier: Apache-2.0
# What the payload finds is what the file and the image say: arguments, environment, user, rights, mounts.
registry
mkdir -p /srv/data
echo from the host >/srv/data/file
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh /data/inspect "two words" '$HOME %n' ""
Environment=FROM=unit "SPACED=a b" ONLY=1
User=app
WorkingDir=/srv
Volume=/srv/data:/data:ro
Volume=/srv/out:/out
Tmpfs=/scratch
HostName=inside
END
cat >/srv/data/inspect <<'END'
exec >/out/report
echo "arguments:$#:$1:$2:$3:"
echo "environment:$FROM:$SPACED:$ONLY:$PATH"
echo "identity:$(id -u):$(id -g):$(id -G)"
echo "directory:$(pwd)"
echo "hostname:$(hostname)"
echo "data:$(cat /data/file)"
touch /data/new 2>/dev/null && echo "a read-only volume was written"
touch /new 2>/dev/null && echo "the root was written"
touch /scratch/new && echo "scratch works"
grep -e '^NoNewPrivs' -e '^Seccomp:' -e '^CapEff' -e '^CapBnd' /proc/self/status
ls /proc/1/root >/dev/null && cat /proc/1/comm
cat /proc/kcore >/dev/null 2>&1 && echo "kcore is readable"
echo x 2>/dev/null >/proc/sys/kernel/domainname && echo "a sysctl was written"
echo done
sleep 1000
END
mkdir /srv/out && chown 1000:1000 /srv/out
systemctl start app
within 5 grep -q done /srv/out/report
cat /srv/out/report
report() { grep -Fxq -- "$1" /srv/out/report || { cat /srv/out/report >&2; return 1; }; }
# A single % is a specifier of systemd: %n is the unit's name, expanded once; $HOME is nobody's business but the payload's.
report 'arguments:3:two words:$HOME app.service::'
report 'environment:unit:a b:1:/bin'
grep -q '^identity:1000:1000:1000 1001' /srv/out/report || report 'identity:1000:1000:1000'
report 'directory:/srv'
report 'hostname:inside'
report 'data:from the host'
report 'scratch works'
grep -q '^NoNewPrivs:[[:space:]]*1$' /srv/out/report
grep -q '^Seccomp:[[:space:]]*2$' /srv/out/report
grep -q '^CapEff:[[:space:]]*0000000000000000$' /srv/out/report
fails grep -e written -e readable /srv/out/report
test ! -e /srv/data/new
