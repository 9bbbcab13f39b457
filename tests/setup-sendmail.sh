#!/bin/sh
# Unpacks Debian's Sendmail for the tests into the folder of the first argument, unless it is there. It cannot be
# installed: the package conflicts with Postfix, which the tests start too. Nothing of it runs outside the tests.
set -eu
folder=$1
[ -x "$folder/usr/libexec/sendmail/sendmail" ] && [ -d "$folder/usr/share/sendmail/cf/m4" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "Sendmail for the tests is missing, run as root: sh $0 $folder" >&2; exit 2; }
command -v apt-get >/dev/null || { echo "please unpack Sendmail 8.17 or newer below $folder, as Debian packs it" >&2; exit 2; }
echo "unpacking Sendmail into $folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get update -qq
# Without this apt warns that its own user may not write here.
apt-get download -qq -o APT::Sandbox::User=root sendmail-bin sendmail-cf
mkdir tree
for package in ./*.deb; do
    dpkg -x "$package" tree
done
# The set-group-ID bit is for mail of users; the tests start Sendmail as root.
chmod g-s tree/usr/libexec/sendmail/*
missing=$(ldd tree/usr/libexec/sendmail/sendmail | grep 'not found' || true)
[ -z "$missing" ] || { echo "Sendmail lacks libraries: $missing" >&2; exit 2; }
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
cp -a tree "$folder.new"
mv "$folder.new" "$folder"
