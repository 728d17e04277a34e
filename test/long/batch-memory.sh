#!/usr/bin/env bash
# The memory of a batch does not grow with its length (design, section 6). Minutes; not in npm test:
#   npm run build && test/long/batch-memory.sh [records]
set -euo pipefail
cd "$(dirname "$0")/../.."
records=${1:-20000}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export XDG_CONFIG_HOME=$home XDG_CACHE_HOME=$home XDG_STATE_HOME=$home ARCH_ROUTE_MODEL=mini

# Peak memory in KiB of the process that reads and writes, for so many records.
peak() {
  seq "$1" | sed 's/.*/{"id":&,"prompt":"fix bug number & in my code"}/' >"$home/in.jsonl"
  node bin/arch-route.js -i "$home/in.jsonl" -o "$home/out.jsonl" &
  local pid=$! most=0 rss
  while kill -0 $pid 2>/dev/null; do
    rss=$(awk '/VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null || true)
    most=${rss:-$most}
    sleep 0.1
  done
  wait $pid
  [ "$(wc -l <"$home/out.jsonl")" -eq "$1" ] || { echo "records are missing" >&2; exit 1; }
  echo "$most"
}

small=$(peak 1000)
large=$(peak "$records")
echo "peak memory: $((small / 1024)) MiB for 1000 records, $((large / 1024)) MiB for $records"
# The heap fills up to a collection, whatever is kept: 30 MiB are not growth.
[ "$large" -lt $((small * 11 / 10 + 30720)) ] || { echo "memory grew"; exit 1; }
