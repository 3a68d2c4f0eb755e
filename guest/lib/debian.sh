# Debian packages: tools to build with, i386 packages to ship, sources to compile.
# For i386 and for sources apt works on private lists and caches under .build/apt, so that /etc
# and dpkg's idea of this machine stay as they are.

# Tools that run on this machine.
tools="gcc gcc-multilib libc6-dev-i386 binutils make bc bison flex libelf-dev lz4 cpio
  libdevmapper1.02.1 dpkg-dev bzip2 xz-utils e2fsprogs pkg-config python3"
# Unpacked into .build/sysroot: what is copied into the image, or linked into it.
binaries="libc6:i386 coreutils:i386 e2fsprogs:i386 libext2fs2:i386 libss2:i386
  libcom-err2:i386 hdparm:i386 nano-tiny:i386 libncursesw6:i386 libtinfo6:i386
  libaio1:i386 libaio-dev:i386 libnvme-dev:i386 libjson-c-dev:i386 zlib1g-dev:i386
  musl-dev:i386"
any_arch="ncurses-base seabios linux-source-6.1"
# The boot loader's images, and the program that makes more of them (which runs on this machine).
boot_loader="grub-pc-bin:amd64 grub-common:amd64"
sources="busybox e2fsprogs fio nvme-cli util-linux"

sysroot=$work/sysroot

private_apt() {
  local apt=$work/apt
  mkdir -p "$apt"/{lists,cache/archives}/partial
  # The machine's own Debian mirror, with source packages added to what it offers.
  apt-get indextargets --format \
    '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(SITE) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | sort -u | sed 's/.*/deb &\ndeb-src &/' >"$apt/sources.list"
  cat >"$apt/apt.conf" <<END
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Architectures { "amd64"; "i386"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
END
  APT_CONFIG=$apt/apt.conf apt-get -q update || warn "some package lists are missing (a mirror in the middle of a sync?)."
}

get_packages() {
  say "packages"
  apt-get -q update || warn "some package lists are missing."
  apt-get -q install -y --no-install-recommends $tools
  mkdir -p "$work/deb" "$work/src" "$sysroot"
  (cd "$work/deb" && apt-get -q download $any_arch)
  private_apt
  (cd "$work/deb" && APT_CONFIG=$work/apt/apt.conf apt-get -q download $binaries $boot_loader)
  local deb
  for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$sysroot"; done
  (cd "$work/src" && APT_CONFIG=$work/apt/apt.conf apt-get -q source --download-only $sources)
  local name
  for name in $sources; do
    dpkg-source --no-check -x "$work"/src/${name}_*.dsc "$work/src/$name" >/dev/null
  done
  write_lock
}

# packages.lock: what went in, by version and hash. Debian moves on; then the bytes change, and
# this says so.
write_lock() {
  local new=$work/packages.lock deb dsc
  {
    echo "# Written by guest/build: <kind> <package> <version> <sha256 of the .deb or .dsc, for shipped ones>"
    for deb in "$work"/deb/*.deb; do
      echo "binary $(dpkg-deb -W --showformat '${Package}:${Architecture} ${Version}' "$deb") $(sha256sum <"$deb" | cut -d ' ' -f 1)"
    done
    for dsc in "$work"/src/*.dsc; do
      echo "source $(sed -n 's/^Source: //p' "$dsc" | head -n 1) $(sed -n 's/^Version: //p' "$dsc" | head -n 1) $(sha256sum <"$dsc" | cut -d ' ' -f 1)"
    done
    dpkg-query -W -f 'tool ${Package} ${Version}\n' $tools gcc-12 linux-libc-dev
  } >"$new"
  if [ -f "$guest/packages.lock" ] && ! diff "$guest/packages.lock" "$new" >"$work/lock.diff"; then
    warn "Debian offers other versions than packages.lock records (< lock, > now):"
    cat "$work/lock.diff" >&2
    warn "the images will differ from the committed ones; packages.lock is rewritten."
  fi
  cp "$new" "$guest/packages.lock"
}
