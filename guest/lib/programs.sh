# Programs whose Debian binaries would be too big, or drag too much along. Each is Debian's source package, built for i386 with fewer features.

lib32=$sysroot/usr/lib/i386-linux-gnu
# On i386 position-independent code is larger and slower.
fixed="-no-pie -fno-pie"

build_programs() {
  export SYSROOT=$sysroot
  mkdir -p "$sysroot/kernel-headers"
  ln -sfn /usr/include/{linux,asm,asm-generic,mtd} "$sysroot/kernel-headers/"
  build_busybox
  build_e2fsck
  build_fio
  build_nvme
  build_util_linux
}

# Debian's busybox-static configuration, without whole sections, then busybox.fragment, then "$@".
configure_busybox() {
  awk -v drop='^# (Networking|Print|Mail|Runit|Login/Password Management|Linux Module|System Logging) Utilities$' '
    /^# .* Utilities$/ || /^# Shells$/ { off = ($0 ~ drop) }
    off && /=/ { sub(/=.*/, ""); $0 = "# " $0 " is not set" }
    { print }' debian/config/pkg/static >.config
  local key value
  { cat "$guest/busybox.fragment"; printf '%s\n' "$@"; } | while IFS='=' read -r key value; do
    case $key in
      CONFIG_*)
        sed -i "/^$key=/d; /^# $key is not set/d" .config
        if [ "$value" = n ]; then echo "# $key is not set"; else echo "$key=$value"; fi >>.config ;;
    esac
  done
  # "yes" ends with SIGPIPE when the questions do.
  { yes '' || true; } | make -s oldconfig >/dev/null
}

# Static with musl: without a dynamic linker an exec costs half as much under the emulator.
build_busybox() {
  local kind
  for kind in root rescue network; do
    say "busybox for the $kind system"
    cp -a "$work/src/busybox" "$work/src/busybox-$kind"
    (
      cd "$work/src/busybox-$kind"
      # The root system has coreutils' dd, which is the one that people know. With a network card its busybox is the
      # third one.
      case $kind in
        root) configure_busybox CONFIG_DD=n ;;
        network) configure_busybox CONFIG_DD=n $(grep '^CONFIG_' "$guest/busybox-network.fragment") ;;
        rescue) configure_busybox ;;
      esac
      make -s -j "$jobs" KCONFIG_NOTIMESTAMP=1 CC="$guest/musl-cc" busybox 2>/dev/null
    )
  done
}

# For the rescue system; the root system has Debian's own.
build_e2fsck() {
  say "e2fsck"
  (
    cd "$work/src/e2fsprogs"
    ./configure CC="$guest/musl-cc" BUILD_CC=gcc CFLAGS="-Os -ffunction-sections -fdata-sections" \
      LDFLAGS=-Wl,--gc-sections --host=i686-linux-musl --disable-nls --disable-tdb --disable-mmp \
      --disable-bmap-stats >/dev/null 2>&1
    make -s -j "$jobs" libs >/dev/null 2>&1
    make -s -j "$jobs" -C e2fsck e2fsck >/dev/null 2>&1
  )
}

build_fio() {
  say "fio"
  (
    cd "$work/src/fio"
    ./configure --cc="$cc32 $fixed -isystem $sysroot/usr/include -L$lib32" --cpu=x86 --disable-native \
      --disable-numa --disable-rdma --disable-rados --disable-rbd --disable-http --disable-gfapi \
      --disable-libnfs --disable-pmem --disable-xnvme --disable-libzbc --disable-tcmalloc \
      --disable-dfs >/dev/null
    grep -q '^CONFIG_LIBAIO=y' config-host.mak
    # Whether the machine has valgrind's headers must not show in the result.
    sed -i /VALGRIND/d config-host.mak config-host.h
    # fio alone would need the 1 MB libm, for log, pow and sqrt. What glibc's libc does not have
    # is taken from musl's libc.a, whose mathematics stand alone.
    sed -i "s| -lm\b| -lc $sysroot/usr/lib/i386-linux-musl/libc.a|; s|-O3|-O2|" Makefile
    make -s -j "$jobs" OPTFLAGS= fio
  )
}

# nvme-cli without the vendors' plugins, linked to the static libnvme. What libnvme would want of
# libcrypto and dbus (authentication and management over a network) is answered by stubs.c.
build_nvme() {
  say "nvme"
  (
    cd "$work/src/nvme-cli"
    cp "$guest/nvme-config.h" config.h
    $cc32 $fixed -Os -std=gnu99 -D_GNU_SOURCE -include config.h -I. -Iccan -w \
      -isystem "$sysroot/usr/include" -isystem "$sysroot/usr/include/json-c" \
      -ffunction-sections -fdata-sections -Wl,--gc-sections -o nvme \
      fabrics.c nvme.c nvme-models.c nvme-print.c nvme-rpmb.c nvme-wrap.c plugin.c libnvme-wrap.c \
      util/{argconfig,cleanup,json,suffix,base64,types}.c "$guest/stubs.c" \
      "$lib32"/lib{nvme,nvme-mi,json-c,z}.a
  )
}

build_util_linux() {
  say "util-linux"
  (
    cd "$work/src/util-linux"
    # Debian's patches touch configure.ac; the shipped configure is still right for us.
    local no_autotools="AUTOCONF=: AUTOMAKE=: ACLOCAL=: AUTOHEADER=:"
    ./configure CC="$cc32" CFLAGS="-Os -ffunction-sections -fdata-sections" LDFLAGS=-Wl,--gc-sections \
      --host=i686-linux-gnu --disable-static --disable-nls --disable-asciidoc --disable-poman \
      --without-selinux --without-udev --without-systemd --without-ncurses --without-ncursesw \
      --without-tinfo --without-readline --without-econf --without-cap-ng --without-libz \
      --without-python --without-btrfs --without-cryptsetup --without-audit --without-user \
      $no_autotools >/dev/null 2>&1
    # The build folder must not become a library search path.
    sed -i 's|^hardcode_libdir_flag_spec=.*|hardcode_libdir_flag_spec=""|; s|^runpath_var=.*|runpath_var=DIE_RPATH_DIE|' libtool
    make -s -j "$jobs" $no_autotools lsblk fstrim blkdiscard blkid libuuid.la >/dev/null
  )
}
