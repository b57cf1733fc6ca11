# Lets a lab machine show the kernel's files of a server of two sockets: 20 cores with two
# threads in each, 256 GiB, four ports of 25 Gb/s with virtual functions, a solid-state
# drive, eight PCIe slots. They are laid over the kernel's own, and go with the machine's power. Then
# the kubelet keeps two threads for the system.
set -e
d=/run/server
mkdir -p $d
mount -t tmpfs server $d

mkdir -p $d/cpu/smt $d/node/node0
echo 1 > $d/cpu/smt/active
echo on > $d/cpu/smt/control
for file in online possible present; do echo 0-79 > $d/cpu/$file; done
cp -r /sys/devices/system/node/node0/hugepages /sys/devices/system/node/node0/meminfo /sys/devices/system/node/node0/distance $d/node/node0/ 2>/dev/null || true
for file in has_cpu has_memory online possible; do echo 0 > $d/node/$file; done
echo 0-79 > $d/node/node0/cpulist
for cpu in $(seq 0 79); do
	core=$((cpu % 40))
	at=$d/cpu/cpu$cpu/topology
	mkdir -p $at
	echo $((core % 20)) > $at/core_id
	echo $((core / 20)) > $at/physical_package_id
	echo 0 > $at/die_id
	echo $core,$((core + 40)) > $at/thread_siblings_list
	cp -r $d/cpu/cpu$cpu $d/node/node0/
done
mount --bind $d/cpu /sys/devices/system/cpu
mount --bind $d/node /sys/devices/system/node

sed 's/^MemTotal:.*/MemTotal: 268435456 kB/' /proc/meminfo > $d/meminfo
mount --bind $d/meminfo /proc/meminfo

mkdir -p $d/net
cp -P /sys/class/net/* $d/net/
for port in 0 1 2 3; do
	at=$d/net/ens1f$port
	mkdir -p $at/device
	echo 1 > $at/type
	echo 52:54:00:00:00:0$port > $at/address
	echo 25000 > $at/speed
	echo 64 > $at/device/sriov_totalvfs
	echo 8 > $at/device/sriov_numvfs
done
mount --bind $d/net /sys/class/net

mkdir -p /sys/block/sda/queue $d/block
echo 1000000000 > /sys/block/sda/size
echo 0 > /sys/block/sda/queue/rotational
for device in $(cut -d' ' -f3 /proc/1/mountinfo | grep '^259:' | sort -u); do ln -s ../../devices/pci/block/sda/sda1 $d/block/$device; done
mount --bind $d/block /sys/dev/block

mkdir -p $d/firmware/dmi/tables
for slot in 0 1 2 3 4 5 6 7; do printf '\011\021\000\00'$slot'\001\274\013\003\000\000\000\000\000\000\000\000\000slot\000\000'; done > $d/firmware/dmi/tables/DMI
printf '\177\004\000\177\000\000' >> $d/firmware/dmi/tables/DMI
mount --bind $d/firmware /sys/firmware

# A server is no virtual machine, whatever the lab runs on; systemd says so by status 1.
printf '#!/bin/sh\necho none\nexit 1\n' > $d/virtual
chmod 755 $d/virtual
mount --bind $d/virtual /usr/bin/systemd-detect-virt

# /run/kubelet KEY VALUE sets a key of the kubelet's configuration, or removes it.
cat > /run/kubelet <<'END'
sed -i "/^$1:/d" /var/lib/kubelet/config.yaml
if [ -n "$2" ]; then echo "$1: $2" >> /var/lib/kubelet/config.yaml; fi
rm -f /var/lib/kubelet/cpu_manager_state
systemctl restart kubelet
END
sh /run/kubelet reservedSystemCPUs 0,40
