#!/bin/sh
# Makes the static library that is installed: one object that defines the functions of mailward.h and nothing else, so
# that a host may link its own SQLite or TLS library beside it.
#
#   sh ffi/static/merge.sh FROM TO
#
# FROM is the archive that cargo built. Needs binutils.
set -eu
from=$1
to=$2
here=$(dirname "$0")
symbols=$here/../abi/symbols.txt
object=$(mktemp -d)/mailward.o
trap 'rm -rf "$(dirname "$object")"' EXIT
# shellcheck disable=SC2046
ld -r --gc-sections -T "$here/sections.ld" $(sed 's/^/-u /' "$symbols") -o "$object" "$from"
objcopy --strip-debug --keep-global-symbols="$symbols" "$object"
rm -f "$to"
ar rcs "$to" "$object"
chmod 644 "$to"
