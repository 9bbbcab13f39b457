#!/bin/sh
# Judges every file below DIR with no network: each must be judged without a panic. Prints totals, time and peak memory.
set -eu
bin=$1 dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/dns.zone"
find "$dir" -type f | sort >"$work/files"
total=$(wc -l <"$work/files")
echo "judging $total files below $dir"
start=$(date +%s)
status=0
if command -v /usr/bin/time >/dev/null; then timer="/usr/bin/time -v -o $work/time"; else timer=; fi
$timer "$bin" check --json --dns "$work/dns.zone" --client-ip 192.0.2.1 --helo corpus.example --to postmaster "$dir" \
    >"$work/out" 2>"$work/err" || status=$?
end=$(date +%s)
judged=$(wc -l <"$work/out")
grep -c '"internal.panic"' "$work/out" >"$work/panics" || true
echo "files: $total   verdicts: $judged   exit: $status   seconds: $((end - start))"
[ -z "$timer" ] || grep -E 'Maximum resident|Elapsed' "$work/time"
sed -n 's/.*"ms":\([0-9.]*\).*/\1/p' "$work/out" | sort -n | tail -1 | sed 's/^/slowest message, ms: /'
for word in deliver tag hold discard reject defer; do
    printf '%s: %s\n' "$word" "$(grep -c "\"verdict\":\"$word\"" "$work/out" || true)"
done
head -5 "$work/err"
[ "$status" -le 1 ] || { echo "FAILED: exit status $status"; exit 1; }
! grep -q panicked "$work/err" || { echo "FAILED: a check panicked"; exit 1; }
[ "$(cat "$work/panics")" = 0 ] || { echo "FAILED: a check panicked inside the engine"; exit 1; }
[ "$judged" -ge "$total" ] || { echo "FAILED: fewer verdicts than files"; exit 1; }

echo "replaying with two configurations"
cat >"$work/next.toml" <<TOML
[score]
tag = 3
[[policy]]
name = "no programs"
when = { attachment = { executable = true } }
then = "reject"
TOML
: >"$work/now.toml"
[ -z "$timer" ] || timer="/usr/bin/time -v -o $work/replay-time"
$timer "$bin" --config "$work/now.toml" replay "$dir" --offline --against "$work/next.toml" --html "$work/report.html" \
    >"$work/replay" 2>"$work/replay-err" || status=$?
grep -E "messages in|^changed:" "$work/replay"
sed -n '/^changed:/,$p' "$work/replay" | head -20
[ -z "$timer" ] || grep -E 'Maximum resident|Elapsed' "$work/replay-time"
ls -l "$work/report.html" | awk '{ print "report, bytes: " $5 }'
[ "$status" -le 1 ] || { head -5 "$work/replay-err"; echo "FAILED: exit status $status"; exit 1; }
echo passed
