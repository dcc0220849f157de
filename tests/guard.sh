#!/usr/bin/env bash
# ./run guard [asan] [tsan] [fuzz] [calls] [slow] [peers] [abuse] [mutants]: what the sanitizers and the fuzzers say. All of them without an
# argument. Not part of ./run test, for it takes half an hour. FUZZ_SECONDS: for each target; 20.
# CALL_SECONDS: for calls, tests/fuzz/public_calls.py; 300. CALL_SEED: the first program; the day's.
# MUTANTS: how many of cpp/lb; 150. MUTANT_SEED: which ones; 1.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=$here/build/guard
python=$here/.venv/bin/python

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
runtime() { "${CXX:-c++}" -print-file-name="$1"; }

# The suite on a package of its own, in which everything of ours is instrumented. gRPC, c-ares and
# Python are not. Python leaks by design, so leaks are looked for in the fuzz targets only. Left out:
# - what runs in a browser or compiles, and the notebooks, which call nothing that others do not;
# - UBSan's vptr check, which opens a pipe, and so complains where a test has used up the descriptors;
# - a thread that the ending interpreter unwinds: bindings/waiting.h catches a __forced_unwind, which
#   is no object, and UBSan dislikes the reference to it.
asan() {
  say "asan: build the package"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --upgrade \
    --target "$build/asan-package" --config-settings build-dir="$build/asan" --config-settings cmake.build-type=RelWithDebInfo \
    --config-settings cmake.define.CMAKE_CXX_FLAGS="-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -O1 -g1" "$here"
  say "asan: run the suite"
  cd "$here"
  # libstdc++ along with it: ASan looks for C++'s exceptions before Python has loaded anything of C++.
  LD_PRELOAD="$(runtime libasan.so) $(runtime libstdc++.so.6)" ASAN_OPTIONS=detect_leaks=0 \
    PYTHONPATH=$build/asan-package "$python" -m pytest -q --timeout=240 -p no:cacheprovider \
    --ignore=tests/test_flow_browser.py --ignore=tests/test_jupyterlab_browser.py --ignore=tests/test_cpp.py \
    --ignore=tests/test_notebooks.py --ignore=tests/test_notebooks_command.py \
    --deselect=tests/test_lab_channel.py::test_the_interpreter_can_end_while_calls_run "$@"
}

# Only what has no gRPC in it: with one that is not instrumented TSan sees races everywhere.
tsan() {
  local flags=(-std=c++20 -O1 -g1 -fsanitize=thread -Wno-tsan -DCARES_NO_DEPRECATED "-I$here/cpp" "-DGREETLAB_VERSION=\"guard\"")
  mkdir -p "$build/tsan"
  say "tsan: core, lb, sim"
  c++ "${flags[@]}" "$here"/tests/cpp/worlds_in_threads.cc "$here"/cpp/{core,lb,lb/policies,load,sim}/*.cc -o "$build/tsan/worlds"
  "$build/tsan/worlds"
  say "tsan: dns"
  c++ "${flags[@]}" "$here"/tests/cpp/resolver_in_threads.cc "$here"/cpp/{core,dns}/*.cc -lcares -o "$build/tsan/resolver"
  "$build/tsan/resolver"
  say "tsan: clusterip, in the tests of it"
  c++ "${flags[@]}" -DASIO_STANDALONE -DASIO_NO_DEPRECATED -DASIO_DISABLE_STD_ALIGNED_ALLOC \
    "$here"/cpp/{core,clusterip}/*.cc -o "$build/tsan/clusterip" -pthread
  cd "$here"
  TSAN_OPTIONS=halt_on_error=1 GREETLAB_CLUSTERIP=$build/tsan/clusterip "$python" -m pytest -q --timeout=240 -p no:cacheprovider tests/test_clusterip.py
  say "tsan: the lab's channel, against servers that end their connections"
  protoc --proto_path="$here/proto" --cpp_out="$build/tsan" greet.proto
  c++ "${flags[@]}" "-I$build/tsan" "$here"/tests/cpp/lab_channel_in_threads.cc \
    "$here"/cpp/{core,lb,lb/policies,load,channel,dns,http2,live}/*.cc "$build/tsan/greet.pb.cc" \
    -lcares -lnghttp2 -lssl -lcrypto -lprotobuf -o "$build/tsan/lab_channel"
  local servers=() target=static: ip
  for ip in 127.77.7.{1,2,3}; do
    "$here/.venv/bin/greet-server" --listen "$ip" --port 50051 --pod-name "$ip" --max-connection-age 200ms >/dev/null &
    servers+=($!)
    target+=$ip:50051,
  done
  local status=0
  TSAN_OPTIONS=halt_on_error=1 "$build/tsan/lab_channel" "${target%,}" || status=$?
  kill "${servers[@]}"
  return "$status"
}

fuzz() {
  command -v clang++-16 >/dev/null || { echo "guard: libFuzzer comes with clang: apt-get install clang-16 libclang-rt-16-dev" >&2; exit 1; }
  say "fuzz: build the targets"
  cmake -S "$here" -B "$build/fuzz" -G Ninja --log-level=WARNING -DGREETLAB_FUZZ=ON -DGREETLAB_BINDINGS=OFF \
    -DCMAKE_CXX_COMPILER=clang++-16 -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_CXX_FLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -O1 -g1" >/dev/null
  cmake --build "$build/fuzz" --target fuzz_targets >/dev/null
  local corpus name
  for corpus in "$here"/tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    say "fuzz: $name"
    mkdir -p "$build/found/$name"  # what is new goes there, crashes too
    (cd "$build/found/$name" && "$build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="${FUZZ_SECONDS:-20}" \
      -timeout=10 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 . "$corpus" 2>&1 | grep -E "number_of_executed|SUMMARY|ERROR|CHECK" ) \
      || { echo "guard: fuzz_$name failed; its input is in $build/found/$name" >&2; exit 1; }
    if compgen -G "$build/found/$name/crash-*" >/dev/null; then
      echo "guard: fuzz_$name failed; its input is in $build/found/$name" >&2
      exit 1
    fi
  done
}

# Everything public, called with what is nearly right: no call may end the interpreter.
calls() {
  say "calls: public ones, for ${CALL_SECONDS:-300} s"
  "$python" "$here/tests/fuzz/public_calls.py" --seconds "${CALL_SECONDS:-300}" --seed "${CALL_SEED:-$(date +%Y%m%d)}"
}

# What takes real time, or downloads much, and is no part of ./run test for that. The doctor's cures
# are compiled and run in each language that has its tools here; the others are said to be skipped.
slow() {
  say "slow: the tests that wait, and the doctor's cures"
  (cd "$here" && GREETLAB_GUARD=1 "$here/.venv/bin/python" -m pytest -q tests/test_http2.py tests/test_doctor_cures.py tests/test_oracle.py \
    -k "twenty_seconds or s_lines_share or most_fail")
}

# Servers in languages of their own, once built, are asked by ./run test, too.
peers() {
  command -v go >/dev/null || { say "peers: no Go here, so grpc-go's server is not asked"; return 0; }
  say "peers: build grpc-go's server, and ask it"
  (cd "$here/tests/peers/go" && go build -o "$here/build/peers/greet_server_go" .)
  (cd "$here" && "$python" -m pytest -q tests/test_peers.py)
}

# What strangers do to the servers, with the figures: what they hold of memory, and how long others wait.
abuse() {
  local script
  for script in greet_server gateway dns_server clusterip; do
    say "abuse: $script"
    (cd "$here" && "$here/.venv/bin/python" "tests/abuse/$script.py")
  done
}

# Small changes in cpp/lb, one at a time: do its own tests notice? At least 95 % of them.
mutants() {
  say "mutants: ${MUTANTS:-150} of cpp/lb"
  "$python" "$here/tests/mutation/run.py" --count "${MUTANTS:-150}" --seed "${MUTANT_SEED:-1}"
}

for part in "${@:-asan tsan fuzz calls slow peers abuse mutants}"; do for one in $part; do "$one"; done; done
say "guard: all good"
