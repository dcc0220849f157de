#!/usr/bin/env bash
# Installs a wheel on a bare Debian, a root of its own (debootstrap, chroot) that has Python and
# nothing else: no compiler, no gRPC, no network. Then runs what a newcomer would.
#   sudo tests/bare_root.sh WHEEL [SUITE]        SUITE: the Debian whose Python the wheel is for
set -euo pipefail
PATH=$PATH:/usr/sbin

stop() { echo "bare_root.sh: $*" >&2; exit 1; }
ok() { printf 'ok  %s\n' "$*"; }

wheel=${1:?a wheel: ./run wheel makes one}
python=$(sed -n 's/.*-cp3\([0-9]*\)-.*/3.\1/p' <<<"$wheel")
case ${2:-$python} in
  3.11) suite=bookworm ;;
  3.13) suite=trixie ;;
  *) suite=${2:-} ;;
esac
[[ $suite ]] || stop "no Debian has Python $python: name a suite that has"
((EUID == 0)) || stop "only root may chroot: sudo $0"
command -v debootstrap >/dev/null || stop "there is no debootstrap: apt-get install debootstrap"
# Any suite is where this machine's own packages come from, if that is Debian.
mirror=$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" "Origin: Debian" 2>/dev/null | head -n 1)

work=$(mktemp -d)
root=$work/root
clean() { umount "$root/proc" "$root/dev" 2>/dev/null || true; rm -rf "$work"; }
trap clean EXIT

began=$SECONDS
debootstrap --variant=minbase --include=python3,python3-venv "$suite" "$root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; stop "debootstrap could not make $suite"; }
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
ok "a root of $suite in $((SECONDS - began)) s"

mkdir "$root/wheels"
cp "$wheel" "$root/wheels"
platforms=()
for minor in {17..36}; do platforms+=(--platform "manylinux_2_${minor}_$(uname -m)"); done
python3 -m pip download --quiet --disable-pip-version-check --dest "$root/wheels" --only-binary :all: \
  --python-version "$python" "${platforms[@]}" "$wheel"
inside() { chroot "$root" env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 "$@"; }
! inside sh -c 'command -v cc gcc g++ cmake' || stop "there is a compiler in it"

inside python3 -m venv /lab
inside /lab/bin/pip install --quiet --no-index --find-links /wheels "/wheels/${wheel##*/}"
ok "pip install: nothing but Python was there"

run() { inside timeout 120 "$@" >"$work/out" 2>&1 || { tail -n 30 "$work/out" >&2; stop "failed: $*"; }; ok "$*"; }
run /lab/bin/python -c 'import greetlab'
run /lab/bin/python -c '
import greetlab as gl
cluster = gl.Cluster.sim(pods=3, seed=7)
channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
assert [*channel.greet("Ada", times=60).by_pod.values()] == [20, 20, 20]'
run /lab/bin/python -c '
import greetlab as gl
with gl.Cluster.local(pods=3) as cluster:
    for engine in ("lab", "grpc"):
        with cluster.channel("greetserver-headless", policy="round_robin", engine=engine) as fair:
            fair.wait_ready(all=True)
            assert [*fair.greet("Ada", times=60).by_pod.values()] == [20, 20, 20]'
run /lab/bin/greetlab demo --out /tmp/demo
run /lab/bin/greetlab doctor
run /lab/bin/greet-client --help
run /lab/bin/greet-gateway --help
run /lab/bin/greetlab play --out /tmp/play.html
