# public/images/manifest.json: what the page downloads, with hashes of what it must become; and
# LICENCES.md beside it.

sha() { sha256sum | cut -d ' ' -f 1; }

# With embedded images, the hash is that of the whole with them.
file_entry() { # <key> <path> <encoding> [<the whole> <embedded images>]
  local path=$images/$2 decode=cat sha256 embeds=
  [ "$3" = identity ] || decode="gzip -dc"
  if [ $# = 3 ]; then sha256=$($decode <"$path" | sha); else sha256=$(sha <"$4") embeds="
      \"embeds\": [$5],"; fi
  cat <<END
    "$1": {
      "path": "$2",
      "sha256": "$sha256",$embeds
      "size": $($decode <"$path" | wc -c),
      "encoding": "$3",
      "encodedSize": $(wc -c <"$path"),
      "encodedSha256": "$(sha <"$path")"
    }
END
}

# What is shipped: <source package>|<a package in packages.lock that has its version>|<licence>
shipped="linux|linux-source-6.1:all|GPL-2.0-only WITH Linux-syscall-note
busybox|source:busybox|GPL-2.0-only
glibc|libc6:i386|LGPL-2.1-or-later
e2fsprogs|e2fsprogs:i386|GPL-2.0-only AND LGPL-2.0-only AND BSD-3-Clause
fio|source:fio|GPL-2.0-only
musl|musl-dev:i386|MIT
nvme-cli|source:nvme-cli|GPL-2.0-only
libnvme|libnvme-dev:i386|LGPL-2.1-or-later
json-c|libjson-c-dev:i386|MIT
zlib|zlib1g-dev:i386|Zlib
libaio|libaio1:i386|LGPL-2.1-or-later
util-linux|source:util-linux|GPL-2.0-or-later AND LGPL-2.1-or-later AND BSD-3-Clause
coreutils|coreutils:i386|GPL-3.0-or-later
hdparm|hdparm:i386|BSD-style (hdparm)
nano|nano-tiny:i386|GPL-3.0-or-later
ncurses|libtinfo6:i386|MIT (X11)
seabios|seabios:all|LGPL-3.0-only
grub2|grub-pc-bin:amd64|GPL-3.0-or-later"

locked_version() { # a name as in $shipped
  case $1 in
    source:*) awk -v n="${1#source:}" '$1 == "source" && $2 == n { print $3 }' "$guest/packages.lock" ;;
    *) awk -v n="$1" '$1 == "binary" && $2 == n { print $3 }' "$guest/packages.lock" ;;
  esac
}

package_entries() {
  local name package licence version separator=
  while IFS='|' read -r name package licence; do
    version=$(locked_version "$package")
    [ -n "$version" ] || { echo "no version of $package in packages.lock" >&2; exit 1; }
    printf '%s    { "name": "%s", "version": "%s", "licence": "%s", "source": "Debian source package %s" }' \
      "$separator" "$name" "$version" "$licence" "$name"
    separator=$',\n'
  done <<<"$shipped"
  echo
}

write_manifest() {
  say "manifest"
  {
    echo '{'
    echo '  "version": 1,'
    echo '  "files": {'
    { file_entry kernel bzImage identity; echo ,
      file_entry initramfs initramfs.cpio.gz gzip; echo ,
      file_entry rootfs rootfs.ext4.gz gzip "$work/rootfs.ext4" "$(cat "$work/embeds")"; echo ,
      file_entry bios bios.bin identity; echo ,
      file_entry vgabios vgabios.bin identity; echo ,
      file_entry networkKernel bzImage-network identity; echo ,
      file_entry network network.cpio.gz gzip; } | sed -z 's/}\n,/},/g'
    echo '  },'
    echo '  "cmdline": "'"$cmdline"'",'
    echo '  "packages": ['
    package_entries
    echo '  ],'
    echo '  "rebuild": "guest/build, as root on Debian 12; see guest/README.md",'
    echo '  "reproducible": "Built from empty folders on two Debian 12 installations (one a bare debootstrap) in two different paths: every file here had the same sha256; bzImage has since got guest/patches (that step was run once) and rootfs.ext4.gz GRUB (built twice from empty folders in two paths of one installation: the same); bzImage-network and network.cpio.gz were built once, by the same steps; the texts in initramfs.cpio.gz and rootfs.ext4.gz were changed since with guest/build --texts, which without a change of texts gave the same bytes. Newer Debian packages change the bytes; guest/packages.lock names the versions used."'
    echo '}'
  } >"$images/manifest.json"
  {
    cat "$guest/licences.md"
    echo
    echo '| Debian source package | version | licence |'
    echo '|---|---|---|'
    local name package licence
    while IFS='|' read -r name package licence; do
      echo "| $name | $(locked_version "$package") | $licence |"
    done <<<"$shipped"
  } >"$images/LICENCES.md"
}
