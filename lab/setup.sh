#!/usr/bin/env bash
# Makes this machine able to run the lab: virtual environment, docker engine, image, containerlab. What is there is used;
# what is missing is made inside this checkout (.venv, .lab), except the docker engine, which a bare Debian machine
# gets from its own packages. Exit code 1: a step failed (its log is shown); 2: this machine or user lacks what the lab
# needs, and each missing thing has been named.
#
#   lab/setup.sh            everything          lab/setup.sh venv       the virtual environment alone
#   lab/setup.sh kernel     what lab/kernel-tier needs
set -euo pipefail
cd "$(dirname "$0")/.."

readonly state=$PWD/.lab
readonly containerlab_version=v0.79.0
mkdir -p "$state"
scratch=$(mktemp -d "$state/scratch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# stage NAME FUNCTION: runs it with its output in a log, prints one line: how long it took, and what it said it had done.
# A subshell outside any condition, so that `set -e` holds in it: its first failing command ends it.
stage() {
    local name=$1 log=$state/$2.log started=$EPOCHREALTIME failed=0
    echo present >"$scratch/outcome"
    set +e
    (set -e; "$2") >"$log" 2>&1
    failed=$?
    set -e
    if ((failed)); then
        printf 'setup: %-20s FAILED; the end of %s:\n' "$name" "${log#"$PWD"/}" >&2
        tail -n 15 "$log" >&2
        exit 1
    fi
    printf 'setup: %-20s %6.1f s  %s\n' "$name" "$(seconds_since "$started")" "$(<"$scratch/outcome")"
}

done_by() {
    echo "$*" >"$scratch/outcome"
}

seconds_since() {
    awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}

have() {
    command -v "$1" >/dev/null 2>&1
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
}

is_debian_root() {
    [[ $EUID -eq 0 ]] && have apt-get
}

# ---- virtual environment ------------------------------------------------------------------------------------------

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo 'no Python 3.11 or later on PATH' >&2
    return 1
}

# What tests ask on this machine: the units in packaging/, network namespaces, a redundancy group.
install_tools() {
    local missing=()
    have systemd-analyze || missing+=(systemd)
    have ip || missing+=(iproute2)
    have keepalived || missing+=(keepalived)
    if ((${#missing[@]})) && is_debian_root; then
        apt_install "${missing[@]}"
    fi
}

setup_venv() {
    local wanted python
    install_tools
    wanted=$(cat requirements-dev.lock pyproject.toml | sha256sum | cut -c1-64)
    if [[ -e .venv/stamp && $(<.venv/stamp) == "$wanted" ]] && .venv/bin/python -c 'import rri_bgp' 2>/dev/null; then
        touch .venv/stamp
        return
    fi
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        is_debian_root || { echo "$python cannot make virtual environments: install python3-venv" >&2; return 1; }
        apt_install python3-venv
    fi
    "$python" -m venv --clear .venv
    # The lock is whole. Were pip to look for dependencies, a newer release of one that is named with an extra ends it.
    .venv/bin/pip install -q --no-deps --require-hashes -r requirements-dev.lock
    .venv/bin/pip install -q --no-deps --no-build-isolation -e .
    echo "$wanted" >.venv/stamp
    done_by "made with $("$python" --version)"
}

# ---- docker engine ------------------------------------------------------------------------------------------------

engine_answers() {
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

setup_engine() {
    local installed=
    if engine_answers; then
        return
    fi
    if ! have dockerd; then
        apt_install docker.io iptables
        installed='installed docker.io, '
    fi
    # No service manager is assumed: the engine is ours, with its own log, and outlives this shell.
    rm -f /run/docker.pid
    setsid nohup dockerd >"$state/dockerd.log" 2>&1 </dev/null &
    echo $! >"$state/dockerd.pid"
    for _ in {1..150}; do
        if engine_answers; then
            done_by "${installed}started dockerd"
            return
        fi
        sleep 0.2
    done
    tail -n 20 "$state/dockerd.log"
    return 1
}

# ---- image --------------------------------------------------------------------------------------------------------

readonly image_inputs=(lab/packages.txt lab/Dockerfile lab/finish-image.sh requirements.lock)

image_tag() {
    echo "rri-bgp-lab:$(cat "${image_inputs[@]}" | sha256sum | cut -c1-12)"
}

setup_image() {
    local tag build
    tag=$(image_tag)
    echo "$tag" >"$state/image"
    if [[ -n $(docker images -q "$tag") ]]; then
        return
    fi
    build=$scratch/image
    mkdir "$build"
    cp lab/packages.txt lab/Dockerfile lab/finish-image.sh requirements.lock "$build"
    # The image's Python is Debian trixie's 3.13, whatever runs here.
    .venv/bin/pip download -q -d "$build/wheels" --only-binary :all: --python-version 3.13 --implementation cp \
        --abi cp313 --abi abi3 --abi none --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_17_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)" --no-deps --require-hashes -r requirements.lock
    if docker pull -q debian:trixie-slim 2>/dev/null; then
        docker build -q -t "$tag" "$build"
        done_by "built $tag from debian:trixie-slim"
    else
        bootstrap_image "$tag" "$build"
        done_by "bootstrapped $tag"
    fi
}

# The same image with no image registry: a Debian tree from the machine's own package mirror.
bootstrap_image() {
    local tag=$1 build=$2 tree=$2/tree
    is_debian_root || { echo 'no image registry answers, and debootstrap needs root on Debian' >&2; return 1; }
    have debootstrap || apt_install debootstrap
    debootstrap --variant=minbase --include=ca-certificates trixie "$tree"
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod +x "$tree/usr/sbin/policy-rc.d"
    cp -r /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
    sed 's/#.*//' "$build/packages.txt" |
        DEBIAN_FRONTEND=noninteractive xargs chroot "$tree" apt-get install -yq --no-install-recommends
    mkdir "$tree/build"
    cp "$build"/wheels/* "$build/requirements.lock" "$build/finish-image.sh" "$tree/build"
    chroot "$tree" sh /build/finish-image.sh /build
    rm -rf "$tree/build" "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/archives/*.deb
    tar -C "$tree" -c . | docker import - "$tag"
}

# ---- containerlab -------------------------------------------------------------------------------------------------

setup_containerlab() {
    local source module=github.com/srl-labs/containerlab
    if have containerlab; then
        done_by "present ($(command -v containerlab))"
        return
    fi
    if [[ -x $state/bin/containerlab ]]; then
        return
    fi
    have go || { echo 'containerlab is not on PATH, and there is no Go to build it with' >&2; return 1; }
    source=$scratch/containerlab
    mkdir "$source"
    cp -r "$(go mod download -json "$module@$containerlab_version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/." "$source"
    chmod -R u+w "$source"
    if [[ ! -e /proc/modules ]]; then
        # A kernel without loadable modules has no /proc/modules; containerlab takes that for an error instead of "built in".
        sed -i 's/modules := \[\]string{"ip_tables", "ip6_tables"}/modules := []string{}/' "$source/core/config.go"
    fi
    mkdir -p "$state/bin"
    (cd "$source" && go build -trimpath -o "$state/bin/containerlab" .)
    done_by "built $containerlab_version"
}

# ---- a tree with IKE daemons and our tests, and a kernel with ESP and VRF where this one has none -----------------------

# What libreswan needs, but for what the image has. The package itself cannot be installed beside strongSwan's; its files can.
readonly libreswan_needs=(libnss3-tools libunbound8 libldns3t64 libcurl3t64-gnutls libevent-pthreads-2.1-7t64 libaudit1
    libcap-ng0 libselinux1)

setup_kernel() {
    local wanted tree=$state/kernel/tree container kernel='User Mode Linux'
    if lab/kernel-has; then
        kernel='this kernel'
    fi
    wanted="$kernel $(<"$state/image") $(sha256sum requirements-dev.lock lab/setup.sh | sha256sum | cut -c1-64)"
    if [[ -e $state/kernel/stamp && $(<"$state/kernel/stamp") == "$wanted" ]]; then
        return
    fi
    is_debian_root || { echo 'the tests on a real kernel need root on Debian' >&2; return 1; }
    rm -rf "$state/kernel"
    mkdir -p "$tree"
    container=$(docker create "$(<"$state/image")" /bin/true)
    docker export "$container" | tar -x -C "$tree"
    docker rm "$container"
    cp -r /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
    cp /etc/resolv.conf /etc/hosts "$tree/etc/"
    chroot "$tree" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive chroot "$tree" apt-get install -yq --no-install-recommends kmod \
        "${libreswan_needs[@]}"
    chroot "$tree" sh -ec 'cd /tmp; apt-get download -q libreswan; dpkg-deb -x libreswan_*.deb /; rm libreswan_*.deb'
    if [[ $kernel != 'this kernel' ]]; then
        install_uml "$tree"
    fi
    .venv/bin/uv pip install -q --python-version 3.13 --python-platform "$(uname -m)-manylinux_2_28" --only-binary :all: \
        --no-deps --require-hashes -r requirements-dev.lock --target "$tree/opt/tests/lib"
    mkdir -p "$tree/opt/tests/bin" "$tree/src"
    printf '#!/bin/sh\nPYTHONPATH=/src:/opt/tests/lib exec /usr/bin/python3 "$@"\n' >"$tree/opt/tests/bin/python"
    printf '#!/bin/sh\nexec /opt/tests/bin/python -m pytest -p no:cacheprovider "$@"\n' >"$tree/opt/tests/bin/pytest"
    chmod +x "$tree"/opt/tests/bin/*
    echo "$wanted" >"$state/kernel/stamp"
    done_by "$kernel, on the image's tree"
}

# From Debian sid, whose kernel runs on new CPUs; it wants a newer C library than Debian 12 has, so it runs in the tree.
install_uml() {
    local tree=$1 apt=$scratch/sid
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/deb"
    echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >"$apt/list"
    local options=(-o "Dir::Etc::SourceList=$apt/list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::lists=$apt/lists"
        -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update -qq
    (cd "$apt" && apt-get "${options[@]}" download user-mode-linux && dpkg-deb -x user-mode-linux_*.deb deb)
    cp "$apt/deb/usr/bin/linux.uml" "$tree/usr/bin/"
    mkdir -p "$tree/lib/modules"
    cp -r "$apt"/deb/usr/lib/uml/modules/. "$tree/lib/modules/"
    chroot "$tree" depmod -a "$(ls "$tree/lib/modules")"
}

# ---- what cannot be helped ----------------------------------------------------------------------------------------

say_what_is_missing() {
    local missing=0
    complain() {
        echo "setup: missing: $1" >&2
        missing=1
    }
    if ! engine_answers && ! is_debian_root; then
        complain 'a docker engine that this user may use (start it and join the group docker, or run this as root on Debian)'
    fi
    if [[ $EUID -ne 0 ]] && ! have containerlab; then
        complain 'root (containerlab makes network links), or an installed containerlab with its SUID bit'
    fi
    if ! have containerlab && [[ ! -x $state/bin/containerlab ]] && ! have go; then
        complain 'containerlab, or Go to build it with'
    fi
    if [[ ! -e /dev/net/tun ]]; then
        complain '/dev/net/tun (modprobe tun)'
    fi
    return $missing
}

case ${1:-all} in
venv)
    stage 'virtual environment' setup_venv
    ;;
check)
    say_what_is_missing || exit 2
    ;;
all)
    stage 'virtual environment' setup_venv
    say_what_is_missing || exit 2
    stage 'docker engine' setup_engine
    stage 'image' setup_image
    stage 'containerlab' setup_containerlab
    stage 'kernel tier' setup_kernel
    ;;
kernel)
    stage 'virtual environment' setup_venv
    stage 'docker engine' setup_engine
    stage 'image' setup_image
    stage 'kernel tier' setup_kernel
    ;;
*)
    echo "usage: lab/setup.sh [all|venv|kernel|check]" >&2
    exit 2
    ;;
esac
