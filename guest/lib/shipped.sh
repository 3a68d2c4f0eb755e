# guest/build --texts: the images that are there, with the texts and scripts of guest/ as they are now. Kernels, programs and
# firmware stay what they are; with no text changed, every image comes out as it was. A file that is no longer in
# guest/rootfs stays in the image.

repack_cpio() { # <name> <path in it>=<file>...
  local name=$1
  shift
  gzip -dc "$images/$name.gz" | "$guest/lib/replace_in_cpio" "$@" >"$work/$name"
  gzip -9nc "$work/$name" >"$images/$name.gz"
}

repack_initramfs() {
  say "initramfs"
  repack_cpio initramfs.cpio "init=$guest/initramfs/init" "etc/profile=$guest/initramfs/profile" \
    "etc/inittab=$guest/initramfs/inittab" "usr/lib/doorbell/agent=$guest/rootfs/usr/lib/doorbell/agent"
}

repack_network() {
  say "network"
  network_init >"$work/network_init"
  repack_cpio network.cpio "init=$work/network_init" "network/up=$guest/network/up" \
    "network/udhcpc=$guest/network/udhcpc"
}

repack_rootfs() {
  say "root file system"
  local root=$work/rootfs image=$work/shipped.ext4
  mkdir -p "$root"
  gzip -dc "$images/rootfs.ext4.gz" >"$image"
  debugfs -R "rdump / $root" "$image" 2>/dev/null
  [ -x "$root/usr/bin/busybox" ] || { echo "public/images/rootfs.ext4.gz cannot be unpacked." >&2; exit 1; }
  rmdir "$root/lost+found"
  # debugfs leaves out the sticky bit.
  chmod 1777 "$root/tmp"
  cp -a --no-preserve=ownership "$guest/rootfs/." "$root/"
  # The packed image has zeroes there.
  cp "$images/bzImage" "$root/boot/vmlinuz"
  cp "$work/initramfs.cpio" "$root/boot/initramfs.cpio"
  # The boot sector is outside of the file system's files.
  grub=$work/grub
  mkdir -p "$grub"
  head -c 512 "$image" >"$grub/boot.img"
  pack_rootfs "$root"
}
