#!/usr/bin/env bash
# Builds the two real servers that `npm run test:remote` talks to, from PyPI's llama-cpp-python source package, into
# ${ARCH_ROUTE_TEST_SERVERS:-/tmp/lcp}: its own server (a virtual environment, about ten minutes on two cores), and
# llama-server of the llama.cpp in it (ten more). Needs python3, cmake, ninja and a C++ compiler. Run it again to go on.
set -euo pipefail
folder=${ARCH_ROUTE_TEST_SERVERS:-/tmp/lcp}
version=0.3.36
jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-2}
export CMAKE_BUILD_PARALLEL_LEVEL=$jobs
mkdir -p "$folder" "$folder-src"
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
sdist=$folder/sdist/llama_cpp_python-$version.tar.gz
[ -f "$sdist" ] ||
  "$folder/venv/bin/pip" download --no-binary llama-cpp-python --no-deps "llama-cpp-python==$version" -d "$folder/sdist"
"$folder/venv/bin/python" -c 'import llama_cpp.server.app' 2>/dev/null ||
  CMAKE_ARGS="-DLLAVA_BUILD=OFF" nice -n 10 "$folder/venv/bin/pip" install "$sdist[server]"
[ -d "$folder-src/vendor" ] || tar xzf "$sdist" -C "$folder-src" --strip-components=1
nice -n 10 cmake -S "$folder-src/vendor/llama.cpp" -B "$folder-build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DBUILD_SHARED_LIBS=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
nice -n 10 cmake --build "$folder-build" --target llama-server -j "$jobs"
"$folder-build/bin/llama-server" --version
