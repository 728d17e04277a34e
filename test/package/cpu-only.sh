#!/usr/bin/env bash
# What the README promises to those who want no GPU packages: the packed tarball, installed without optional packages and
# without scripts, beside the one native binary that this machine needs, routes with the network off.
# Run after a build. Prints sizes.
set -euo pipefail
cd "$(dirname "$0")/../.."
llama=$(node -p 'require("./package.json").dependencies["node-llama-cpp"]')
binary="@node-llama-cpp/$(node -p '`${process.platform === "darwin" ? "mac" : process.platform}-${process.arch}`')@$llama"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

tarball="$folder/$(npm pack --silent --ignore-scripts --pack-destination "$folder")"
echo "tarball: $(du -h "$tarball" | cut -f1)"
mkdir "$folder/app" "$folder/home"
cd "$folder/app"
npm init -y >/dev/null
npm install --omit=optional --ignore-scripts --no-audit --no-fund --silent "$tarball" "$binary"
echo "installed: $(du -sm node_modules | cut -f1) MB, $(find node_modules -name package.json -path '*node_modules/*/package.json' -not -path '*/dist/*' | wc -l) package files"
for gpu in cuda cuda-ext vulkan; do
  if [ -e "node_modules/@node-llama-cpp/linux-x64-$gpu" ]; then echo "linux-x64-$gpu was installed"; exit 1; fi
done

# Root can leave the network; others point every connection at a port where nothing listens.
offline=(env HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9)
if unshare -n true 2>/dev/null; then offline=(unshare -n); fi
route() {
  "${offline[@]}" env -i PATH="$PATH" HOME="$folder/home" node_modules/.bin/arch-route "$@" </dev/null
}
answer=$(route "there is a bug in my code, fix it")
echo "answer: $answer"
[ "$answer" = bug_fixing ] || { echo "not the route expected"; exit 1; }
route --version
route models
route doctor
