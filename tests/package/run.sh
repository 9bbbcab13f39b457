#!/bin/bash
# The package on a clean Debian root, with systemd as PID 1 and a real Postfix: run.sh DIR-OF-THE-PACKAGE
# SUITE is the release to test on (default: this one), BASE a root that debootstrap has made before.
# Needs root, debootstrap, a mirror (that of this machine's apt), and cgroup2.
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
package=$(ls -t "$1"/mailward_*_"$(dpkg --print-architecture)".deb | head -n 1)
. /etc/os-release
suite=${SUITE:-$VERSION_CODENAME}
work=$(mktemp -d)
root=$work/root init=
cleanup() {
    local status=$?
    if [ -n "$init" ]; then
        kill -RTMIN+4 "$init" 2>/dev/null || true # poweroff
        for _ in $(seq 100); do kill -0 "$init" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$init" 2>/dev/null || true
        wait 2>/dev/null || true
    fi
    if [ "$status" != 0 ]; then
        echo "--- FAILED in line ${line:-?}; the log of the system: $work/boot.log; its root: $root"
        tail -n 40 "$work/boot.log" 2>/dev/null || true
    else
        rm -rf --one-file-system "$work"
    fi
}
trap cleanup EXIT
trap 'line=$LINENO' ERR

step() { printf '\n== %s\n' "$*"; }
inside() { nsenter --target "$init" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
within() { # within SECONDS COMMAND...: until the command succeeds
    local limit=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$limit" ] || { echo "not within time: $*" >&2; return 1; }
        sleep 0.2
    done
}
expect() { # expect PATTERN GOT WHAT
    # shellcheck disable=SC2053 # the pattern is one
    [[ $2 == $1 ]] || { echo "$3: wanted $1, got: $2" >&2; return 1; }
    echo "ok: $3"
}
main_pid() { inside systemctl show --property MainPID --value mailward; }
file() { inside sh -c 'cat >"$1"' sh "$1"; }

# An SMTP dialogue as an outside client: smtp RECIPIENT <message; prints the last reply.
smtp() {
    # shellcheck disable=SC2016
    inside bash -c '
        exec 3<>/dev/tcp/127.0.0.1/25
        reply() { while IFS= read -r line <&3; do line=${line%$'"'\r'"'}; [[ $line == [0-9][0-9][0-9]-* ]] || break; done; }
        say() { printf "%s\r\n" "$1" >&3; reply; [[ $line == [23]* ]] || { echo "$line"; exit 0; }; }
        reply
        say "EHLO client.example.net"
        say "XCLIENT ADDR=198.51.100.7 NAME=client.example.net HELO=client.example.net"
        say "EHLO client.example.net"
        say "MAIL FROM:<sender@example.net>"
        say "RCPT TO:<$1>"
        say "DATA"
        sed "s/\$/\r/" >&3
        say "."
        echo "$line"
    ' bash "$1"
}
mail_about() { printf 'From: sender@example.net\nTo: alice@rig.test\nSubject: %s\n\n%s\n' "$1" "${2:-Hello}"; }
mailbox() { inside cat /var/mail/alice 2>/dev/null || true; }
has_mail() { mailbox | grep -q "$1"; }

step "a clean root of $suite"
if [ -n "${BASE:-}" ]; then
    cp -a "$BASE" "$root"
else
    # shellcheck disable=SC2016 # apt expands
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Component: main" \
        "Codename: $VERSION_CODENAME" | head -n 1)
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,postfix,unbound,adduser,ca-certificates,procps \
        "$suite" "$root" "$mirror" >"$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
fi
# A site of its own: names, one user, Postfix as on any server, and DNS that knows nothing but this site.
chroot "$root" useradd --create-home alice
echo mx.rig.test >"$root/etc/hostname"
printf '127.0.0.1 localhost mx.rig.test\n' >"$root/etc/hosts"
printf 'nameserver 127.0.0.1\n' >"$root/etc/resolv.conf"
cp "$here/unbound.conf" "$root/etc/unbound/unbound.conf"
rm -f "$root/etc/postfix/main.cf"
cp "$here/main.cf" "$root/etc/postfix/main.cf"
cp "$package" "$root/srv/mailward.deb"

step "boot"
"$here/boot.sh" "$root" >"$work/boot.log" 2>&1 &
boot=$!
within 30 pgrep -P "$boot"
init=$(pgrep -P "$boot" | head -n 1)
within 90 inside systemctl is-active multi-user.target
inside systemctl --version | head -n 1
within 30 inside postfix status

step "install"
inside env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 /srv/mailward.deb >/dev/null
within 60 inside systemctl is-active mailward
expect enabled "$(inside systemctl is-enabled mailward)" "the service is enabled"
expect "disabled" "$(inside systemctl is-enabled mailward.socket || true)" "the socket is not"
pid=$(main_pid)
expect mailward "$(inside ps -o user= -p "$pid")" "it runs as its own user"
status=$(inside cat "/proc/$pid/status")
expect "*NoNewPrivs:	1*Seccomp:	2*" "$status" "system calls are filtered"
expect "*CapEff:	0000000000000000*" "$status" "no capabilities"
expect "*CapBnd:	0000000000000000*" "$status" "nor can it get any"
expect 1 "$(inside sh -c "nsenter -t $pid -m touch /etc/x 2>/dev/null; echo \$?")" "the file system is read-only to it"
expect 0 "$(inside sh -c "nsenter -t $pid -m touch /var/lib/mailward/x; echo \$?")" "but for its state"
inside rm /var/lib/mailward/x
inside systemd-analyze verify --man=no mailward.service mailward.socket
inside systemd-analyze security --no-pager mailward | tail -n 1
inside mailward config check
expect "MemoryDenyWriteExecute=yes" "$(inside systemctl show --property MemoryDenyWriteExecute mailward)" \
    "no memory is writable and executable"
for page in mailward.1 mailward-milter.1 mailward-scan.1 mailward.toml.5; do
    expect "*" "$(inside sh -c "ls /usr/share/man/man*/$page.gz")" "manual page $page"
done

step "mail"
printf '[metrics]\nlisten = "127.0.0.1:9091"\n' | file /etc/mailward/mailward.toml
inside systemctl restart mailward
inside sh -c 'cp -R /usr/share/doc/mailward/postfix-conf /etc/postfix/mailward
    cat /etc/postfix/mailward/main.cf >>/etc/postfix/main.cf && postfix reload 2>/dev/null'
expect "250 *" "$(mail_about clean | smtp alice@rig.test)" "clean mail is taken"
within 20 has_mail "Subject: clean"
expect "*Authentication-Results: *" "$(mailbox)" "it arrives, judged"
eicar='X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR'
expect "550 5.7.1 *ref *" "$(mail_about malware "$eicar-STANDARD-ANTIVIRUS-TEST-FILE!\$H+H*" | smtp alice@rig.test)" "malware is refused"
scrape=$(inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/9091; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3')
expect '*mailward_messages_total{verdict="reject",direction="inbound"} 1*' "$scrape" "and counted"
step "doctor"
inside mailward doctor

step "scanning service"
expect disabled "$(inside systemctl is-enabled mailward-scan || true)" "it is off until it is wanted"
inside systemctl start mailward-scan
inside systemd-analyze verify --man=no mailward-scan.service
inside systemd-analyze security --no-pager mailward-scan | tail -n 1
inside setpriv --reuid mailward --regid mailward --init-groups mailward-scan --prove
expect "*answers and finds the EICAR test file*" "$(inside mailward doctor)" "doctor asks it"
sleep 1.1 # that there is no service is believed for a second
expect "550 5.7.1 *ref *" "$(mail_about malware "$eicar-STANDARD-ANTIVIRUS-TEST-FILE!\$H+H*" | smtp alice@rig.test)" "malware is refused"
scrape=$(inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/9091; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3')
expect '*mailward_lookups_total{service="scan",outcome="done"} 1*' "$scrape" "by the service"
inside systemctl reload mailward-scan
within 20 inside sh -c 'journalctl -u mailward-scan | grep -q reloaded'
inside systemctl stop mailward-scan
expect "250 *" "$(mail_about without-the-service | smtp alice@rig.test)" "mail flows without it"

step "reload"
printf '[[policy]]\nname = "not to alice"\nto = ["alice@rig.test"]\nthen = "reject"\n' | file /etc/mailward/mailward.toml
before=$(main_pid)
inside systemctl reload mailward
within 20 inside sh -c 'journalctl -u mailward | grep -q reloaded'
expect "550 *" "$(mail_about refused | smtp alice@rig.test)" "the new policy acts"
expect "$before" "$(main_pid)" "it is the same process"
printf 'nonsense = 1\n' | file /etc/mailward/mailward.toml
expect "failed" "$(inside systemctl reload mailward 2>/dev/null && echo "done" || echo failed)" "a faulty file fails the reload"
expect active "$(inside systemctl is-active mailward)" "the service goes on"
expect "550 *" "$(mail_about refused | smtp alice@rig.test)" "with the policy before"
: | file /etc/mailward/mailward.toml
inside systemctl reload mailward

step "crash and hang"
killed=$(main_pid)
inside kill -9 "$killed"
within 20 inside sh -c "p=\$(systemctl show -p MainPID --value mailward); [ \$p != 0 ] && [ \$p != $killed ] && systemctl is-active mailward"
echo "ok: a crash is followed by a start"
inside mkdir -p /run/systemd/system/mailward.service.d
printf '[Service]\nWatchdogSec=3s\n' | file /run/systemd/system/mailward.service.d/test.conf
inside systemctl daemon-reload
inside systemctl restart mailward
stopped=$(main_pid)
sleep 7 # longer than the watchdog's patience: the daemon must have petted it
expect "$stopped" "$(main_pid)" "the watchdog is petted"
inside kill -STOP "$stopped"
within 30 inside sh -c "p=\$(systemctl show -p MainPID --value mailward); [ \$p != 0 ] && [ \$p != $stopped ] && systemctl is-active mailward"
echo "ok: a daemon that hangs is replaced"
expect "250 *" "$(mail_about after-the-hang | smtp alice@rig.test)" "mail flows"

step "socket activation"
inside systemctl stop mailward
inside systemctl start mailward.socket
expect inactive "$(inside systemctl is-active mailward || true)" "nothing runs yet"
expect "250 *" "$(mail_about activated | smtp alice@rig.test)" "a connection starts the daemon"
expect active "$(inside systemctl is-active mailward)" "it runs"
inside systemctl restart mailward &
restart=$!
for number in 1 2 3; do
    reply=$(mail_about "restart-$number" | smtp alice@rig.test)
    # Whoever has met the daemon on its way out tries again, as every client does; nobody is refused a connection.
    [[ $reply != 421* ]] || reply=$(mail_about "restart-$number" | smtp alice@rig.test)
    expect "250 *" "$reply" "message $number during a restart"
done
wait "$restart"
inside systemctl stop mailward.socket mailward

step "purge"
inside systemctl start mailward
inside env DEBIAN_FRONTEND=noninteractive apt-get purge -qq -y -o Dpkg::Use-Pty=0 mailward >/dev/null
expect "" "$(inside pgrep mailward || true)" "no process is left"
expect "" "$(inside sh -c 'ls -d /etc/mailward /var/lib/mailward /lib/systemd/system/mailward* 2>/dev/null' || true)" "nor files"
expect "" "$(inside getent passwd mailward || true)" "nor the user"
has_mail "Subject: activated"
printf '\npackage test passed: %s on %s\n' "$(basename "$package")" "$suite"
