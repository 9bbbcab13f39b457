#!/bin/sh
# Unpacks Debian's Exim for the tests into the folder of the first argument, unless it is there. It cannot be installed:
# the package conflicts with Postfix, which the tests start too. Nothing of it runs outside the tests.
set -eu
folder=$1
user=Debian-exim
[ -x "$folder/usr/sbin/exim4" ] && [ -f "$folder/usr/include/exim4/local_scan.h" ] && id "$user" >/dev/null 2>&1 && exit 0
[ "$(id -u)" = 0 ] || { echo "Exim for the tests is missing, run as root: sh $0 $folder" >&2; exit 2; }
command -v apt-get >/dev/null || { echo "please unpack Exim 4.96 or newer below $folder, as Debian packs it" >&2; exit 2; }
echo "unpacking Exim into $folder"
# The program does not start without the user that it was built for.
id "$user" >/dev/null 2>&1 || useradd --system --no-create-home --user-group --home-dir /var/spool/exim4 \
    --shell /usr/sbin/nologin "$user"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get update -qq
# Without this apt warns that its own user may not write here.
apt-get download -qq -o APT::Sandbox::User=root exim4-daemon-heavy exim4-base exim4-config exim4-dev
mkdir tree
for package in ./*.deb; do
    dpkg -x "$package" tree
done
# The set-user-ID bit is for mail of users; the tests start Exim as root.
chmod u-s tree/usr/sbin/exim4
missing=$(ldd tree/usr/sbin/exim4 | grep 'not found' || true)
[ -z "$missing" ] || { echo "Exim lacks libraries: $missing" >&2; exit 2; }
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
cp -a tree "$folder.new"
mv "$folder.new" "$folder"
