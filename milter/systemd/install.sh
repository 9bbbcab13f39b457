#!/bin/sh
# Installs the units to a directory: install.sh UNITDIR BINDIR SYSTEMD_VERSION
# systemd knows Type=notify-reload since 253. Older ones get the same behaviour but for the wait until a reload is done.
set -eu
here=$(dirname "$0") unitdir=$1 bindir=$2 version=${3:-0}
install -d "$unitdir"
for name in mailward.service mailward-scan.service; do
    unit=$(sed "s|/usr/bin/|$bindir/|" "$here/$name")
    if [ "$version" -lt 253 ]; then
        unit=$(printf '%s\n' "$unit" | sed -e 's/^Type=notify-reload$/Type=notify/' \
            -e '/^ExecReload=/a ExecReload=/bin/kill -HUP $MAINPID')
    fi
    printf '%s\n' "$unit" >"$unitdir/$name"
    chmod 644 "$unitdir/$name"
done
install -m 644 "$here/mailward.socket" "$unitdir/mailward.socket"
