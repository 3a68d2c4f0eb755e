# The guest's kernel: Debian's source with our patches, i386 tinyconfig and kernel.fragment.

build_kernel() {
  say "kernel"
  local src=$work/src/linux
  mkdir -p "$src"
  tar -xf "$sysroot"/usr/src/linux-source-6.1.tar.xz -C "$src" --strip-components 1
  local patch
  for patch in "$guest"/patches/*.patch; do
    patch -s -p1 -d "$src" <"$patch"
  done
  export KBUILD_BUILD_USER=doorbell KBUILD_BUILD_HOST=doorbell KBUILD_BUILD_VERSION=1
  KBUILD_BUILD_TIMESTAMP=$(date -d "@$SOURCE_DATE_EPOCH" '+%F %T UTC')
  export KBUILD_BUILD_TIMESTAMP
  (
    cd "$src"
    make -s ARCH=i386 tinyconfig
    scripts/kconfig/merge_config.sh -m .config "$guest/kernel.fragment" >/dev/null
    make -s ARCH=i386 olddefconfig
    check_fragment
    make -s -j "$jobs" ARCH=i386 bzImage
  )
  cp "$src/arch/x86/boot/bzImage" "$images/bzImage"
}

# Kconfig drops what it cannot have without a word; a fragment that is not obeyed is an error.
check_fragment() {
  local line key bad=0
  while read -r line; do
    key=${line%%=*}
    case $line in
      CONFIG_*=n) ! grep "^$key=" .config || bad=1 ;;
      CONFIG_*) grep -qxF "$line" .config || { echo "$line"; bad=1; } ;;
    esac
  done <"$guest/kernel.fragment"
  [ $bad = 0 ] || { echo "Kconfig did not follow kernel.fragment in the lines above." >&2; exit 1; }
}
