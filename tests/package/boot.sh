#!/bin/sh
# Boots a Debian root with systemd as PID 1, in namespaces of its own: boot.sh ROOT. Ends when it is powered off.
# Loopback is its whole network. Its processes are in the cgroup mailward-package-test of cgroup2.
set -eu
cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$cgroup" ] || { echo "cgroup2 is not mounted" >&2; exit 2; }
mkdir -p "$cgroup/mailward-package-test"
echo $$ >"$cgroup/mailward-package-test/cgroup.procs"
# shellcheck disable=SC2016 # the inner shell expands
exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child sh -eu -c '
    root=$1
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    hostname mx.rig.test
    ip link set lo up
    mkdir -p "$root/outside"
    pivot_root "$root" "$root/outside"
    cd /
    umount -l /outside
    exec env -i container=mailward-package-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --log-target=console --show-status=1
' sh "$1"
