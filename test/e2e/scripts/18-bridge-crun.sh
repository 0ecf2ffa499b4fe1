# crun's containers are on the bridge as runc's are. The patch leaves out the device filter, which crun wants
# RLIMIT_MEMLOCK raised for and not every host may.
registry
container web <<'X'
[Container]
Runtime=crun
ConfigPatch={"linux":{"resources":{"devices":null}}}
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'trap "exit 0" TERM; mkdir /tmp/www; hostname >/tmp/www/name; httpd -f -p 80 -h /tmp/www & wait'
Network=bridge
PublishPort=127.0.0.1:8080:80
X
for _ in 1 2 3; do
	systemctl restart web
	within 5 listens 8080
	exec 3<>/dev/tcp/127.0.0.1/8080
	printf 'GET /name HTTP/1.0\r\n\r\n' >&3
	test "$(timeout 5 tail -n 1 <&3)" = web
	exec 3<&-
done
grep -q web "/proc/$(show web MainPID)/root/etc/hosts"
kill -9 $(processes web) || :
within 10 systemctl is-failed web
within 5 test ! -e /sys/class/net/syscontainer0
within 5 rmdir /run/syscontainer
systemctl start web
within 5 listens 8080
systemctl stop web
test "$(show web Result)" = success
test ! -e /sys/class/net/syscontainer0 -a -z "$(ls /run/syscontainer)"
