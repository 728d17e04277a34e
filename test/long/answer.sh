#!/usr/bin/env bash
# A 10 GB answer passes through in flat memory (reliability, row 45). Half a minute; not in npm test:
#   npm run build && test/long/answer.sh [GB]
set -euo pipefail
cd "$(dirname "$0")/../.."
gigabytes=${1:-10}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir "$home/arch-route" && mkfifo "$home/answer"
# The first of two commands writes through us: we must know whether it has begun to answer.
cat >"$home/arch-route/config.json" <<JSON
{ "model": "mini", "min_confidence": 1, "routes": [{ "name": "all", "description": "All" }],
  "other": { "run": [["head", "-c", "${gigabytes}000000000", "/dev/zero"], ["cat"]] } }
JSON
export XDG_CONFIG_HOME=$home XDG_CACHE_HOME=$home XDG_STATE_HOME=$home
wc -c <"$home/answer" >"$home/count" &
node bin/arch-route.js -x hello >"$home/answer" </dev/null &
pid=$!
peak=0
while kill -0 $pid 2>/dev/null; do
  rss=$(awk '/VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null || true)
  peak=${rss:-$peak}
  sleep 0.2
done
wait $pid
wait
count=$(tr -d ' ' <"$home/count")
echo "$count bytes, peak of the memory $((peak / 1024)) MiB"
[ "$count" = "${gigabytes}000000000" ] || { echo "bytes are missing"; exit 1; }
[ "$peak" -lt 600000 ] || { echo "memory grew"; exit 1; }
