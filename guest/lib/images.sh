# Puts the files together: initramfs, root file system, firmware.

# Every step ends in a deterministic file: fixed owner, times, order, identifiers.
install_program() { # <source> <target>
  install -D -m 755 "$1" "$2"
  strip --strip-unneeded "$2"
}

make_initramfs() {
  say "initramfs"
  local stage=$work/initramfs busybox=$work/src/busybox-rescue/busybox applet
  mkdir -p "$stage"
  cp "$guest"/initramfs/{init,profile,inittab} "$guest/rootfs/usr/lib/doorbell/agent" "$stage"
  install_program "$busybox" "$stage/busybox"
  install_program "$work/src/e2fsprogs/e2fsck/e2fsck" "$stage/e2fsck"
  {
    local d
    for d in /dev /proc /sys /root /mnt /run /bin /sbin /etc /usr /usr/lib /usr/lib/doorbell; do
      echo "dir $d 755 0 0"
    done
    # The kernel opens it before /init can mount anything.
    echo "nod /dev/console 600 0 0 c 5 1"
    echo "file /init $stage/init 755 0 0"
    echo "file /etc/profile $stage/profile 644 0 0"
    echo "file /etc/inittab $stage/inittab 644 0 0"
    echo "file /usr/lib/doorbell/agent $stage/agent 755 0 0"
    echo "file /bin/busybox $stage/busybox 755 0 0"
    echo "slink /bin/sh busybox 777 0 0"
    echo "slink /sbin/init ../bin/busybox 777 0 0"
    echo "file /sbin/e2fsck $stage/e2fsck 755 0 0"
    echo "slink /etc/mtab ../proc/self/mounts 777 0 0"
    # Only what a program other than the shell looks up by path; the shell has the rest built in.
    for applet in mount umount stty reboot poweroff halt; do echo "slink /bin/$applet busybox 777 0 0"; done
  } >"$stage/list"
  touch -d "@$SOURCE_DATE_EPOCH" "$stage"/*
  "$work/src/linux/usr/gen_init_cpio" -t "$SOURCE_DATE_EPOCH" "$stage/list" >"$work/initramfs.cpio"
  gzip -9nc "$work/initramfs.cpio" >"$images/initramfs.cpio.gz"
}

# The init of a guest with a network card.
network_init() {
  grep -q '^mount -o move .proc ' "$guest/initramfs/init" || { echo "initramfs/init has no place for /network/up." >&2; exit 1; }
  sed '/^mount -o move .proc /i . /network/up' "$guest/initramfs/init"
}

# What the page appends to the initramfs of a guest with a network card: the same init with one more line, and what it
# needs.
make_network() {
  say "network"
  local stage=$work/network
  mkdir -p "$stage"
  network_init >"$stage/init"
  cp "$guest"/network/{up,udhcpc} "$stage"
  install_program "$work/src/busybox-network/busybox" "$stage/busybox"
  {
    echo "file /init $stage/init 755 0 0"
    echo "dir /network 755 0 0"
    echo "file /network/up $stage/up 644 0 0"
    echo "file /network/udhcpc $stage/udhcpc 755 0 0"
    echo "file /network/busybox $stage/busybox 755 0 0"
  } >"$stage/list"
  touch -d "@$SOURCE_DATE_EPOCH" "$stage"/*
  "$work/src/linux/usr/gen_init_cpio" -t "$SOURCE_DATE_EPOCH" "$stage/list" >"$work/network.cpio"
  gzip -9nc "$work/network.cpio" >"$images/network.cpio.gz"
}

# Debian's own i386 binaries that are copied as they are.
debian_programs="bin/dd sbin/e2fsck sbin/mke2fs sbin/resize2fs sbin/tune2fs sbin/dumpe2fs
  sbin/debugfs sbin/hdparm bin/nano-tiny"
debian_libraries="lib/i386-linux-gnu/libc.so.6
  lib/i386-linux-gnu/libext2fs.so.2 lib/i386-linux-gnu/libe2p.so.2 lib/i386-linux-gnu/libss.so.2
  lib/i386-linux-gnu/libcom_err.so.2 lib/i386-linux-gnu/libncursesw.so.6
  lib/i386-linux-gnu/libtinfo.so.6 usr/lib/i386-linux-gnu/libaio.so.1"

stage_rootfs() {
  local root=$1 file src=$work/src name
  mkdir -p "$root"/{dev,proc,sys,run,tmp,mnt,root,etc,var/log,usr/bin,usr/sbin,usr/lib}
  ln -s usr/bin "$root/bin"
  ln -s usr/sbin "$root/sbin"
  ln -s usr/lib "$root/lib"
  ln -s ../run "$root/var/run"
  chmod 1777 "$root/tmp"
  chmod 700 "$root/root"
  cp -a --no-preserve=ownership "$guest/rootfs/." "$root/"

  install_program "$src/busybox-root/busybox" "$root/usr/bin/busybox"
  for file in $(cd "$src/busybox-root" && HOSTCC=gcc sh applets/busybox.mkll); do
    case $file in /bin/* | /usr/bin/*) ln -sf busybox "$root$file" ;; *) ln -sf ../bin/busybox "$root$file" ;; esac
  done
  for file in $debian_programs; do install_program "$sysroot/$file" "$root/usr/$file"; done
  for file in $debian_libraries; do install_program "$sysroot/$file" "$root/usr/lib/${file##*/}"; done
  install_program "$sysroot/lib/ld-linux.so.2" "$root/usr/lib/ld-linux.so.2"
  install_program "$src/fio/fio" "$root/usr/bin/fio"
  install_program "$src/nvme-cli/nvme" "$root/usr/sbin/nvme"
  for name in lsblk fstrim blkdiscard blkid; do
    install_program "$src/util-linux/.libs/$name" "$root/usr/sbin/$name"
  done
  for name in blkid uuid mount smartcols; do
    install_program "$(echo "$src"/util-linux/.libs/lib$name.so.1)" "$root/usr/lib/lib$name.so.1"
  done
  ln -s nano-tiny "$root/usr/bin/nano"
  ln -s e2fsck "$root/usr/sbin/fsck.ext4"
  ln -s mke2fs "$root/usr/sbin/mkfs.ext4"
  ln -s tune2fs "$root/usr/sbin/e2label"
  cp "$sysroot/etc/mke2fs.conf" "$root/etc/"
  for name in x/xterm-256color l/linux v/vt100 d/dumb; do
    install -D -m 644 "$sysroot/lib/terminfo/$name" "$root/usr/lib/terminfo/$name"
  done
  ldconfig -r "$root" -X
  rm -rf "$root/var/cache" "$root/etc/ld.so.conf"
  stage_boot "$root"
}

make_rootfs() {
  say "root file system"
  stage_rootfs "$work/rootfs"
  pack_rootfs "$work/rootfs"
}

pack_rootfs() { # <root>
  local root=$1 image=$work/rootfs.ext4 path field
  find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  truncate -s 48M "$image"
  # No lazy initialisation: a fresh disk must not be busy with itself while people measure it.
  # Few inodes, so that growing to 1 GiB writes little. resize= keeps room to grow to 32 GiB.
  export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
  mke2fs -q -F -t ext4 -b 4096 -I 256 -N 3072 -m 1 -L doorbell \
    -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
    -J size=8 -e remount-ro -U d00bbe11-0000-4000-8000-000000000001 \
    -E hash_seed=d00bbe11-0000-4000-8000-000000000002,resize=8388608,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 \
    -d "$root" "$image"
  # mke2fs copies the staging files' change times too, which nothing can set but debugfs.
  find "$root" -printf '/%P\n' | while read -r path; do
    for field in atime ctime crtime; do
      echo "set_inode_field \"$path\" $field @$SOURCE_DATE_EPOCH"
      echo "set_inode_field \"$path\" ${field}_extra 0"
    done
  done >"$work/times"
  debugfs -w -f "$work/times" "$image" >/dev/null 2>"$work/times.log"
  install_boot_sector "$image"
  e2fsck -fn "$image" >/dev/null 2>&1 || { echo "the new file system is not clean" >&2; exit 1; }
  cut_out_boot_files "$image" "$image.cut"
  "$guest/lib/gzip_pieces" <"$image.cut" >"$images/rootfs.ext4.gz"
}

copy_bios() {
  # bios-256k is the one with an NVMe driver.
  cp "$sysroot/usr/share/seabios/bios-256k.bin" "$images/bios.bin"
  cp "$sysroot/usr/share/seabios/vgabios-stdvga.bin" "$images/vgabios.bin"
}
