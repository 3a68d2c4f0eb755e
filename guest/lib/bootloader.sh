# GRUB on the root file system itself, without partitions: the firmware starts the file system's
# first sector, that loads core.img by its sector numbers, and that finds the rest by name.

# The kernel's command line, for the page and for grub.cfg. It is told what it would otherwise
# look for; the local APIC, where there is one, is used for messages alone.
cmdline="console=ttyS0 tsc=reliable mitigations=off loglevel=3"

grub=$sysroot/usr/lib/grub/i386-pc
# What grub.cfg and GRUB's own command line need, as far as the disk holds it.
grub_commands="normal linux echo ls cat reboot"

# Modules that a module needs, and itself.
grub_closure() {
  local module wanted="$*" all=
  while [ -n "$wanted" ]; do
    module=${wanted%% *}
    wanted=${wanted#"$module"}
    wanted=${wanted# }
    case " $all " in *" $module "*) continue ;; esac
    all="$all $module"
    wanted="$wanted $(sed -n "s/^$module: *//p" "$grub/moddep.lst")"
    wanted=$(echo $wanted)
  done
  printf '%s\n' $all | sort
}

stage_boot() { # <root>
  local boot=$1/boot module
  mkdir -p "$boot/grub/i386-pc"
  cp "$images/bzImage" "$boot/vmlinuz"
  cp "$work/initramfs.cpio" "$boot/initramfs.cpio"
  # Few modules: unpacking core.img is slow under the emulator, and reading a file is not.
  "$sysroot/usr/bin/grub-mkimage" -O i386-pc -d "$grub" -p /boot/grub -o "$boot/grub/core.img" biosdisk ext2
  for module in $(grub_closure $grub_commands); do
    cp "$grub/$module.mod" "$boot/grub/i386-pc/"
    grep ": $module\$" "$grub/command.lst" || true
  done | sort >"$boot/grub/i386-pc/command.lst"
  cat >"$boot/grub/grub.cfg" <<END_OF_CFG
# Read by GRUB when the firmware boots this disk (?boot=disk in the page's address). Otherwise the
# page starts a kernel of its own, and nothing of this is used.
set timeout=1

menuentry "Doorbell Linux" {
  linux /boot/vmlinuz $cmdline acpi=off lapic
  initrd /boot/initramfs.cpio
}
menuentry "Rescue shell" {
  linux /boot/vmlinuz $cmdline acpi=off lapic rescue
  initrd /boot/initramfs.cpio
}
END_OF_CFG
  chmod 644 "$boot"/* "$boot"/grub/* "$boot"/grub/i386-pc/* 2>/dev/null
  chmod 755 "$boot/grub" "$boot/grub/i386-pc"
}

# The first byte of a file in the image. That it lies there in one piece is checked.
file_offset() { # <image> <path>
  debugfs -R "blocks $2" "$1" 2>/dev/null | tr -s ' ' '\n' | grep . |
    awk -v path="$2" 'NR == 1 { first = $1 } $1 != first + NR - 1 { print path " is in pieces" >"/dev/stderr"; exit 1 }
      END { if (NR == 0) exit 1; printf "%d\n", first * 4096 }'
}

little_endian() { # <number>: 8 bytes
  local i
  for i in 0 8 16 24 32 40 48 56; do printf "\\x$(printf %02x $(($1 >> i & 255)))"; done
}

# Overwrites the middle of a file with standard input.
patch_at() { # <file> <offset>
  dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# GRUB's boot.img in front of the file system, as grub-bios-setup does it for a disk, but where a
# partition table would be are zeroes, which mean that there is none.
install_boot_sector() { # <image>
  local core sector=$work/boot.img
  core=$(file_offset "$1" /boot/grub/core.img)
  cp "$grub/boot.img" "$sector"
  chmod 644 "$sector"
  head -c 70 /dev/zero | patch_at "$sector" $((0x1b8))
  little_endian $((core / 512)) | patch_at "$sector" $((0x5c))
  patch_at "$1" 0 <"$sector"
  # core.img's first sector loads the others: their first one's number is in its last list entry.
  little_endian $((core / 512 + 1)) | patch_at "$1" $((core + 0x1f4))
}

# The page downloads kernel and initramfs anyhow and puts them where they belong, so the packed
# image has zeroes there. Writes the manifest's list of these places.
cut_out_boot_files() { # <image> <copy of it without them>
  local image path offset size separator=
  cp "$1" "$2"
  while read -r image path; do
    offset=$(file_offset "$1" "$path")
    size=$(stat -c %s "$work/rootfs$path")
    dd if=/dev/zero of="$2" bs=4096 seek=$((offset / 4096)) count=$(((size + 4095) / 4096)) conv=notrunc status=none
    printf '%s{ "image": "%s", "offset": %d }' "$separator" "$image" "$offset"
    separator=", "
  done <<<"kernel /boot/vmlinuz
initramfs /boot/initramfs.cpio" >"$work/embeds"
}
