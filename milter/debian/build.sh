#!/bin/sh
# Builds a Debian package from what `make install` lays out: build.sh OUTDIR, called by `make deb`.
# PROGRAM and SCAN_PROGRAM are the programs to pack, SYSTEMD_VERSION that of the release the package is for. DEBFULLNAME and DEBEMAIL name
# the maintainer, as in other packaging tools; DEB_COMPRESSION=none is quick.
set -eu
here=$(dirname "$0") out=$1
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
arch=$(dpkg --print-architecture)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
maintainer="${DEBFULLNAME:-Mailward developers} <${DEBEMAIL:-mailward@localhost}>"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
# systemd of Debian 12 looks for units below /lib.
unitdir=/usr/lib/systemd/system
[ "$SYSTEMD_VERSION" -ge 253 ] || unitdir=/lib/systemd/system

make --no-print-directory install DESTDIR="$tree" PREFIX=/usr SYSCONFDIR=/etc UNITDIR="$unitdir" \
    PROGRAM="$PROGRAM" SCAN_PROGRAM="$SCAN_PROGRAM" SYSTEMD_VERSION="$SYSTEMD_VERSION"
strip --strip-unneeded "$tree/usr/bin/mailward" "$tree/usr/bin/mailward-scan"
# adduser makes the user in the package.
rm -r "$tree/usr/lib/sysusers.d"
rmdir "$tree/usr/lib" 2>/dev/null || true
doc=$tree/usr/share/doc/mailward
install -m 644 "$here/copyright" "$doc/copyright"
{
    printf 'mailward (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n' "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$epoch")"
} | gzip -9n >"$doc/changelog.gz"
gzip -9n "$tree"/usr/share/man/man1/*.1 "$tree"/usr/share/man/man5/*.5

mkdir "$work/debian" "$tree/DEBIAN"
printf 'Source: mailward\n\nPackage: mailward\nArchitecture: any\nDepends: ${shlibs:Depends}\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O tree/usr/bin/mailward tree/usr/bin/mailward-scan 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "dpkg-shlibdeps found no libraries" >&2; exit 1; }
size=$(du -sk --apparent-size "$tree" | cut -f 1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" \
    -e "s/@MAINTAINER@/$maintainer/" \
    "$here/control.in" >"$tree/DEBIAN/control"
(cd "$tree" && find etc -type f -printf '/%p\n') >"$tree/DEBIAN/conffiles"
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) \
    >"$tree/DEBIAN/md5sums"
for script in postinst prerm postrm; do
    install -m 755 "$here/$script" "$tree/DEBIAN/$script"
done
chmod -R u=rwX,go=rX "$tree"
find "$tree" -newermt "@$epoch" -exec touch --no-dereference --date="@$epoch" {} +
mkdir -p "$out"
SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$tree" "$out/mailward_${version}_$arch.deb"
