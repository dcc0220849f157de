#!/usr/bin/env bash
# Builds the image with what is there of docker, podman and buildah, then runs its executables from
# its own root file system, as its own user, with nothing else of this machine in sight (chroot).
#   sudo k8s/prove.sh            ENGINE=buildah k8s/prove.sh: that one
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
PATH=$PATH:/usr/sbin

stop() { echo "prove.sh: $*" >&2; exit 1; }
ok() { printf 'ok  %s\n' "$*"; }

((EUID == 0)) || stop "only root may chroot: sudo $0"
command -v curl >/dev/null || stop "asks the gateway with curl, which is not there: apt-get install curl"

# docker is no help where only its client is.
engine=${ENGINE:-}
for each in docker podman buildah; do
  [[ -n $engine ]] || ! "$each" info >/dev/null 2>&1 || engine=$each
done
[[ -n $engine ]] || stop "none of docker, podman and buildah works here: 'docker info' and so on say why"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../pyproject.toml")
image=greetlab:$version
work=$(mktemp -d)
container=
pids=()
clean() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  [[ -z $container ]] || "$engine" rm "$container" >/dev/null
  rm -rf "$work"
}
trap clean EXIT

started=$SECONDS
if [[ $engine == buildah ]]; then
  buildah build --tag "$image" --file "$here/Dockerfile" "$here/.."
else
  "$engine" build --tag "$image" --file "$here/Dockerfile" "$here/.."
fi >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; stop "$engine could not build $image, see above"; }
ok "$image built with $engine in $((SECONDS - started)) s"

if [[ $engine == buildah ]]; then
  container=$(buildah from "$image")
  root=$(buildah mount "$container")
  user=$(buildah inspect --format '{{.OCIv1.Config.User}}' "$container")
else
  root=$work/root
  mkdir "$root"
  container=$("$engine" create "$image" greet-server)
  "$engine" export "$container" | tar --extract --directory "$root"
  user=$("$engine" inspect --format '{{.Config.User}}' "$container")
fi

[[ $user == 65532:65532 ]] || stop "the image's user is '$user', not 65532:65532"
ok "its user is $user"

found=$(find "$root" -type f \( -name '*sh' -o -name 'busybox*' \))
[[ -z $found ]] || stop "a shell is in it: $found"
found=$(find "$root" -mindepth 1 ! -type l \( ! -user 0 -o -perm /6022 \))
[[ -z $found ]] || stop "not only root may write them, or they change their user: $found"
ok "no shell, nothing that its user could write, nothing setuid"

size=$(du --summarize --apparent-size --block-size=1M "$root" | cut -f1)
((size <= 40)) || stop "it has become $size MiB; 40 is what it may have"
# Two builds can be compared by this line: names, modes, times and contents of all files.
digest=$(cd "$root" && tar --sort=name --numeric-owner --create usr lib* | sha256sum | cut -c1-16)
ok "$size MiB, contents $digest"

inside=(env -i PATH=/usr/local/bin "$(command -v chroot)" --userspec="$user" "$root")
# Starts a server, and waits for the line that has its address, which is then in $address.
serve() {
  local name=$1 line=
  mkfifo "$work/$name"
  "${inside[@]}" "$@" >"$work/$name" 2>"$work/$name.err" &
  pids+=($!)
  read -r -t 10 line <"$work/$name" || stop "$name does not serve: $(<"$work/$name.err")"
  rm "$work/$name"  # another of this name may come
  address=$(sed 's/.* serving on \([0-9.:]*\).*/\1/' <<<"$line")
}
# SIGTERM to the server that came last: it has to end, and with 0.
end() {
  local pid=${pids[-1]} status=0
  unset 'pids[-1]'
  kill "$pid"
  wait "$pid" || status=$?
  ((status == 0)) || stop "$1: exit status $status after SIGTERM"
  ok "$1 ends with 0 on SIGTERM"
}

for executable in "$root"/usr/local/bin/*; do
  name=${executable##*/}
  said=$("${inside[@]}" "$name" --version) || stop "$name does not start"
  [[ $said == "$version" ]] || stop "$name is version '$said', pyproject.toml says '$version'"
  ! readelf --section-headers "$executable" | grep -q '\.symtab' || stop "$name is not stripped"
  ok "$name $said starts, and is stripped"
done

serve greet-server --listen 127.0.0.1 --port 0 --pod-name pod-1 --pod-ip 127.0.0.1
server=$address
"${inside[@]}" greet-client --count=5 --trace=- "static:$server" >"$work/trace" 2>"$work/words" ||
  stop "greet-client: $(<"$work/words")"
grep -q 'Hello, Ada Lovelace from pod: name(pod-1)' "$work/words" || stop "greet-client got: $(<"$work/words")"
ok "greet-server answers greet-client, whose trace has $(grep -c '^{' "$work/trace") lines"

for channel in lab grpc; do
  serve greet-gateway --listen 127.0.0.1 --port 0 --engine "$channel" --target "static:$server"
  said=$(curl --silent --max-time 10 --data '{"first_name": "Ada", "last_name": "Lovelace"}' \
    --header 'Content-Type: application/json' "http://$address/greet") || stop "greet-gateway does not answer"
  [[ $said == *'Hello, Ada Lovelace from pod: name(pod-1)'* ]] || stop "greet-gateway answers: $said"
  ok "greet-gateway --engine=$channel answers curl"
  end greet-gateway
done
end greet-server
ok "all of it took $((SECONDS - started)) s"
