#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Runs a command of the project in a new, minimal Debian root: it has git, the Rust toolchain of this machine and a clone
# of the last commit, and nothing else. A package that the project uses and does not install is found missing there.
#
#   tests/fresh-machine.sh [COMMAND [ARGUMENT ...]]      default: ./pipelines/demo.sh
#
# FRESH_ROOT=FOLDER uses the root in FOLDER, which is made where it does not exist, and keeps it. Otherwise the root is in a
# new folder of 4 GB below ${TMPDIR:-/var/tmp}, and is removed at the end.
#
# The exit status is that of the command; 77 if this machine cannot make a root: it needs Debian, root rights, debootstrap
# (which is installed) and mount namespaces.
set -euo pipefail

readonly cannot=77
skip() {
    echo "fresh-machine: no root can be made here: $1" >&2
    exit $cannot
}

# Second stage, in namespaces of its own: its mounts and its processes end with it.
if [ "${1:-}" = --inside ]; then
    root=$2
    shift 2
    mount -t proc proc "$root/proc"
    for folder in dev sys; do
        mount --rbind "/$folder" "$root/$folder"
    done
    exec chroot "$root" /bin/sh -c 'cd /root/project && exec "$@"' sh "$@"
fi

project=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- ./pipelines/demo.sh

[ "$(id -u)" -eq 0 ] || skip "root rights are needed"
[ -e /etc/debian_version ] || skip "this is no Debian system"
unshare --mount --pid --fork true 2>/dev/null || skip "mount namespaces are not allowed"
sysroot=$(rustc --print sysroot) || skip "there is no rustc"
[ -x "$sysroot/bin/cargo" ] && [ "$sysroot" != /usr ] || skip "$sysroot is no Rust toolchain that can be copied"
if ! command -v debootstrap >/dev/null; then
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null ||
        skip "debootstrap cannot be installed"
fi

if [ -n "${FRESH_ROOT:-}" ]; then
    mkdir -p "$FRESH_ROOT"
    root=$(cd "$FRESH_ROOT" && pwd)
else
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/fresh-machine.XXXXXX")
    # Nothing is mounted below it in this namespace, and no other file system is entered in any case.
    trap 'rm -rf --one-file-system "$root"' EXIT
    chmod 755 "$root"
fi

# The package source, and what is needed to reach it: configuration and certificates.
if [ ! -e "$root/etc/debian_version" ]; then
    . /etc/os-release
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" 2>/dev/null | head -n 1)
    log=$(mktemp)
    if ! debootstrap --variant=minbase --include=ca-certificates,git "$VERSION_CODENAME" "$root" ${mirror:+"$mirror"} >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm "$log"
        skip "debootstrap failed"
    fi
    rm "$log"
fi
rm -rf "$root"/etc/apt/sources.list*
for path in /etc/apt/{sources.list,sources.list.d,apt.conf.d} /usr/share/keyrings /etc/ssl/certs/ca-certificates.crt \
    /etc/resolv.conf /etc/hosts; do
    [ ! -d "$path" ] || { mkdir -p "$root$path" && cp -aL "$path/." "$root$path/"; }
    [ ! -f "$path" ] || cp -L "$path" "$root$path"
done
# Nothing here outlives a crash, so nothing is synced to the disk.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"

# Rust, and how cargo reaches its registry; no crate, so that what cannot be downloaded is found as well.
if [ ! -e "$root/opt/rust" ]; then
    mkdir -p "$root/opt/rust" "$root/root/.cargo"
    tar -C "$sysroot" --exclude=share/doc -cf - . | tar -C "$root/opt/rust" -xf -
fi
for config in "${CARGO_HOME:-$HOME/.cargo}"/config{,.toml}; do
    [ ! -f "$config" ] || cp "$config" "$root/root/.cargo/"
done

rm -rf "$root/root/project"
git clone --quiet "$project" "$root/root/project"

# Of the environment, only what leads to registries and what is meant for the project's own scripts.
environment=(
    HOME=/root LANG=C.UTF-8 TERM=dumb
    PATH=/root/.cargo/bin:/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
)
while IFS= read -r -d '' variable; do
    case $variable in
        CI=* | CARGO_BUILD_JOBS=* | CARGO_PROFILE_* | CARGO_REGISTRIES_* | CARGO_SOURCE_* | CARGO_NET_* | CARGO_HTTP_* | SSL_CERT_* | *_proxy=* | *_PROXY=*)
            environment+=("$variable")
            ;;
    esac
done < <(env --null)

status=0
env -i "${environment[@]}" unshare --mount --propagation private --pid --fork --kill-child \
    bash "$project/tests/fresh-machine.sh" --inside "$root" "$@" || status=$?
exit $status
