# The guest's kernels: Debian's source with our patches, i386 tinyconfig and kernel.fragment; the one for guests with
# a network card has network.fragment as well.

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
  cp -a "$src" "$src-network"
  make_kernel "$src" "$images/bzImage" kernel
  make_kernel "$src-network" "$images/bzImage-network" kernel network
}

make_kernel() { # <source tree> <target> <fragment>...: a later fragment overrides an earlier one
  local tree=$1 target=$2
  shift 2
  (
    cd "$tree"
    make -s ARCH=i386 tinyconfig
    # Of two lines for one option the last counts: read backwards, the first.
    tac $(printf "$guest/%s.fragment " $(printf '%s\n' "$@" | tac)) | awk -F= '!/^CONFIG_/ || !seen[$1]++' | tac >.fragment
    scripts/kconfig/merge_config.sh -m .config .fragment >/dev/null
    make -s ARCH=i386 olddefconfig
    check_fragment
    make -s -j "$jobs" ARCH=i386 bzImage
  )
  cp "$tree/arch/x86/boot/bzImage" "$target"
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
  done <.fragment
  [ $bad = 0 ] || { echo "Kconfig did not follow the fragments in the lines above." >&2; exit 1; }
}
