# The steps of a plan, one function each (docs/agent-protocol.md, "The plan script"). Every step may be run again after a crash anywhere:
# a plan that was cut off is simply run once more from its start. The first step that fails ends the plan.
muster=${MUSTER_HOME:-/muster}
. "$muster/console.sh"
. "$muster/disks.sh"
. "$muster/cell.sh"

type_bios_grub=21686148-6449-6E6F-744E-656564454649
type_esp=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
type_linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
type_swap=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F

# core.img lies at the start of bios_grub, the text that tells it where the root is at LBA 3072, the marker at LBA 4095.
core_sector=2048
stub_sector=3072
stub_sectors=8

# step NAME [PERCENT]: what the heartbeats report from now on.
step() {
  printf '%s\n' "$1" >"$run/step"
  printf '%s\n' "${2:-0}" >"$run/percent"
  say "step: $1"
}

device_of() {
  local device
  eval "device=\${disk_$1:-}"
  [ -n "$device" ] || fail "the plan names a disk '$1' that no 'disk' line has found"
  printf '%s\n' "$device"
}

# disk NAME SERIAL_OR_WWN_OR_BUS SIZE_BYTES: exactly one disk must match both; the kernel's own names (sda) are never trusted.
disk() {
  local name found=''
  for name in $(whole_disks); do
    case $2 in
      '') fail "disk $1: no serial, WWN or bus address given" ;;
      "$(disk_serial "$name")" | "$(disk_wwn "$name")" | "$(disk_bus "$name")") ;;
      *) continue ;;
    esac
    if [ "$(disk_size "$name")" != "$3" ]; then
      say "disk $1: $name is $2, but has $(disk_size "$name") bytes, not $3"
      continue
    fi
    [ -z "$found" ] || fail "disk $1: $2 with $3 bytes is both $found and $name"
    found=$name
  done
  [ -n "$found" ] || fail "disk $1: no disk is $2 with $3 bytes; there are: $(for name in $(whole_disks); do printf '%s=%s/%s ' "$name" "$(disk_serial "$name")" "$(disk_size "$name")"; done)"
  eval "disk_$1=\$dev/\$found"
  say "disk $1: $dev/$found ($2, $3 bytes)"
}

# let_go DEVICE: unmounts what an earlier run of the plan left mounted from this disk, last first.
let_go() {
  local at
  for at in $(awk -v disk="$1" '
    BEGIN { rest = disk ~ /[0-9]$/ ? "^(p[0-9]+)?$" : "^[0-9]*$" }
    index($1, disk) == 1 && substr($1, length(disk) + 1) ~ rest { print $2 }' "$proc/mounts" | tac); do
    umount "$at" || umount -l "$at"
  done
}

# write_sectors DEVICE SECTOR COUNT: stdin to sectors of 512 bytes, the rest padded with NUL. Through the page cache: any block size.
write_sectors() { dd of="$1" bs=512 seek="$2" count="$3" conv=sync,notrunc,fsync iflag=fullblock 2>/dev/null; }

# marker NAME started|done SYSTEM_ID OPERATION PURPOSE DIGEST
marker() {
  local device
  device=$(device_of "$1") || exit 1
  printf 'muster %s %s %s %s %s\n' "$3" "$4" "$5" "$2" "$6" | write_sectors "$device" "$marker_sector" 1 ||
    fail "marker: cannot write to $device"
  [ "$(read_marker "$device")" = "muster $3 $4 $5 $2 $6" ] || fail "marker: what was written to $device is not there"
}

# gpt NAME NUMBER:TYPE:SIZE…: a new GPT; SIZE is a sfdisk size (512MiB) or 'rest'. Old signatures are wiped, of partitions too.
gpt() {
  local device part number type size
  device=$(device_of "$1") || exit 1
  shift
  step "partitioning $device"
  let_go "$device"
  for part in "$@"; do
    number=${part%%:*}
    part=${part#*:}
    type=${part%%:*}
    size=${part#*:}
    case $type in
      bios_grub) type=$type_bios_grub ;;
      esp) type=$type_esp ;;
      root | linux) type=$type_linux ;;
      swap) type=$type_swap ;;
      *) fail "gpt: unknown partition type $type" ;;
    esac
    printf '%s : ' "$number"
    [ "$number" != 1 ] || printf 'start=1MiB, '
    [ "$size" = rest ] || printf 'size=%s, ' "$size"
    printf 'type=%s\n' "$type"
  done >"$run/gpt" || exit 1
  { echo 'label: gpt'; cat "$run/gpt"; } | sfdisk -q --wipe always --wipe-partitions always "$device" >"$run/sfdisk" 2>&1 ||
    fail "gpt: $(tail -n 3 "$run/sfdisk" | tr '\n' ' ')"
  [ -b "$device" ] || return 0
  blockdev --rereadpt "$device" 2>/dev/null || :
  for part in "$@"; do appears "$(partition "$device" "${part%%:*}")"; done
}

# appears DEVICE: devtmpfs makes nodes at once; 10 s is for slow controllers.
appears() {
  local tries=0
  until [ -b "$1" ]; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "$1 does not appear"
    sleep 0.2
  done
}

# place NAME NUMBER: the partition's device; number 0 is the whole disk.
place() {
  local device
  device=$(device_of "$1") || exit 1
  [ "$2" = 0 ] || device=$(partition "$device" "$2")
  printf '%s\n' "$device"
}

# filesystem NAME NUMBER TYPE LABEL UUID: for vfat the UUID is the volume id as blkid writes it, ABCD-1234. Label - is none. Number 0 is the
# whole disk, which loses its partition table.
# GRUB 2.06 cannot read metadata_csum_seed and orphan_file. Inode tables are zeroed later, by the deployed system's kernel.
filesystem() {
  local device part
  device=$(place "$1" "$2") || exit 1
  step "making $3 on $device"
  if [ "$2" = 0 ]; then
    let_go "$device"
    for part in $(partitions "${device##*/}"); do
      wipefs -q -a -f "$dev/$part" || fail "filesystem: cannot wipe $part"
    done
    wipefs -q -a -f "$device" || fail "filesystem: cannot wipe $device"
    if [ -b "$device" ]; then blockdev --rereadpt "$device" 2>/dev/null || :; fi
  fi
  case $3 in
    ext4 | ext2)
      mkfs.ext4 -t "$3" -q -F -L "${4#-}" -U "$5" -O '^metadata_csum_seed,^orphan_file' -E lazy_itable_init=1,lazy_journal_init=1 "$device" \
        >"$run/mkfs" 2>&1
      ;;
    vfat) mkfs.vfat -F 32 -n "$4" -i "$(printf '%s' "$5" | tr -d -)" "$device" >"$run/mkfs" 2>&1 ;;
    swap) mkswap -L "${4#-}" -U "$5" "$device" >"$run/mkfs" 2>&1 ;;
    xfs) mkfs.xfs -q -f -L "${4#-}" -m "uuid=$5" "$device" >"$run/mkfs" 2>&1 ;;
    *) fail "filesystem: cannot make $3" ;;
  esac || fail "filesystem: $3 on $device: $(tail -n 3 "$run/mkfs" | tr '\n' ' ')"
}

# mount_partition NAME NUMBER PATH
mount_partition() {
  local device
  device=$(place "$1" "$2") || exit 1
  mkdir -p "$3"
  mount "$device" "$3" 2>"$run/mount" || fail "cannot mount $device on $3: $(tail -n 1 "$run/mount")"
}

unmount() {
  local at
  step "unmounting $1"
  sync
  for at in $(awk -v top="$1" '$2 == top || index($2, top "/") == 1 { print $2 }' "$proc/mounts" | tac); do
    umount "$at" || fail "cannot unmount $at"
  done
}

# stream URL: the body on stdout, gone on with from the byte reached when the connection breaks (HTTP ranges), until all of it has come.
# Gives up when $patience seconds pass without one new byte. A URL that begins with / is the cell's own: each of its addresses has the file.
stream() {
  local at=0 answer code got pause=1 last base='' left=1
  last=$(uptime_seconds)
  case $1 in /*) left=$(cells) ;; esac
  while :; do
    case $1 in /*) base=$(cell) ;; esac
    answer=$(curl -sS --fail --connect-timeout 10 --speed-limit 1 --speed-time 30 -r "$at-" -D "$run/stream.head" \
      -w '%{stderr}\n%{http_code} %{size_download} %{exitcode}\n' -o - "$base$1" 2>&1 >&3 | tail -n 1) || :
    # shellcheck disable=SC2086 # three words
    set -- "$1" $answer
    code=${2:-000} got=${3:-0}
    case $code in
      206 | 200)
        [ "$at" = 0 ] || [ "$code" = 206 ] || fail "$1: the server does not do ranges, and the connection broke after $at bytes"
        at=$((at + got))
        if [ "${4:-1}" = 0 ]; then return 0; fi
        ;;
      416) [ "$at" -gt 0 ] && [ "$at" = "$(stream_size)" ] && return 0; fail "$1: range refused at byte $at" ;;
      000 | 408 | 429 | 5??) got=0 ;;
      *) fail "$1: HTTP status $code" ;;
    esac
    # 23: what comes cannot be written, because the reader has ended; it says why itself.
    [ "${4:-0}" != 23 ] || fail "$1: the reader ended at byte $at"
    if [ "$got" -gt 0 ]; then last=$(uptime_seconds) pause=1; fi
    [ $(($(uptime_seconds) - last)) -lt "${patience:-1800}" ] || fail "$1: no more bytes after byte $at"
    if [ -n "$base" ]; then
      next_cell "$base"
      left=$((left - 1))
      if [ $left -gt 0 ]; then
        say "$1: broken off at byte $at of $base (status $code, curl ${4:-none}); on at $(cell)"
        continue
      fi
      left=$(cells)
    fi
    say "$1: broken off at byte $at (status $code, curl ${4:-none}); on in $pause s"
    sleep $pause
    pause=$((pause * 2))
    [ $pause -le 30 ] || pause=30
  done 3>&1
}

# stream_size: the whole length that the last answer told.
stream_size() { tr -d '\r' <"$run/stream.head" | sed -n -e 's/^[Cc]ontent-[Rr]ange: *bytes .*\///p' | tail -n 1; }

# unpack URL SHA256 tar.zst DIRECTORY: streams, nothing is stored; the digest is checked at the end and a wrong one fails the plan, before
# anything could boot from what was written.
unpack() {
  local url="$1" watcher sum
  [ "$3" = tar.zst ] || fail "unpack: cannot unpack $3"
  step "unpacking $(printf %.12s "$2")"
  rm -f "$run/sum.fifo" "$run/stream.head" "$run/unpack.error" "$run/unpack.broken"
  mkfifo "$run/sum.fifo"
  sha256sum <"$run/sum.fifo" >"$run/sum" &
  sum=$!
  progress $sum >/dev/null 2>&1 &
  watcher=$!
  { (stream "$url") || : >"$run/unpack.broken"; } | tee "$run/sum.fifo" |
    { zstd -dcq --long=27 2>>"$run/unpack.error" || : >"$run/unpack.broken"; } |
    tar -x -p --numeric-owner --xattrs --xattrs-include='*' --acls -C "$4" -f - 2>>"$run/unpack.error" || : >"$run/unpack.broken"
  wait $sum || :
  kill $watcher 2>/dev/null || :
  rm -f "$run/sum.fifo"
  [ ! -e "$run/unpack.broken" ] || fail "unpack: $(cat "$run/failure" 2>/dev/null) $(tail -n 3 "$run/unpack.error" 2>/dev/null | tr '\n' ' ')"
  [ "$(cut -d' ' -f1 "$run/sum")" = "$2" ] || fail "unpack: $url has digest $(cut -d' ' -f1 "$run/sum"), not $2"
  printf '100\n' >"$run/percent"
}

# progress PID: percent from what PID (which reads the whole stream) has read; rchar of /proc/PID/io.
progress() {
  local size read
  while sleep 2 && kill -0 "$1" 2>/dev/null; do
    size=$(stream_size 2>/dev/null)
    read=$(sed -n 's/^rchar: //p' "$proc/$1/io" 2>/dev/null)
    [ "${size:-0}" -gt 0 ] && [ -n "$read" ] && printf '%s\n' $((read * 100 / size)) >"$run/percent"
  done
}

# write_file PATH MODE BASE64: whole or not at all.
write_file() {
  # busybox base64 passes over what is no base64.
  case $3 in *[!A-Za-z0-9+/=]*) fail "write_file: $1: bad base64" ;; esac
  mkdir -p "${1%/*}"
  printf '%s' "$3" | base64 -d >"$1.muster-new" || fail "write_file: $1: bad base64 or no room"
  chmod "$2" "$1.muster-new"
  mv -f "$1.muster-new" "$1"
}

mount_point() { awk -v device="$1" '$1 == device { print $2 }' "$proc/mounts" | tail -n 1; }

# grub NAME NUMBER BASE64_CONFIG: our own GRUB for both firmwares; NUMBER is the partition with /boot. BIOS: boot.img in the MBR, core.img
# and a stub text in bios_grub. UEFI: BOOTX64.EFI (removable path, so that no firmware entry is needed) and the stub beside it. The stub
# names the file system by UUID; GRUB then reads /boot/grub/grub.cfg there, whose text is the plan's.
grub() {
  local device name at part number uuid efi
  device=$(device_of "$1") || exit 1
  name=${device##*/}
  step "installing GRUB on $device"
  at=$(mount_point "$(partition "$device" "$2")")
  [ -n "$at" ] || fail "grub: partition $2 is not mounted"
  uuid=$(blkid -p -s UUID -o value "$(partition "$device" "$2")") || fail "grub: partition $2 has no file system"
  write_file "$at/boot/grub/grub.cfg" 0600 "$3"
  printf 'search.fs_uuid %s root hd0,gpt%s\nset prefix=($root)/boot/grub\nconfigfile /boot/grub/grub.cfg\n' "$uuid" "$2" >"$run/stub.cfg"
  for part in $(partitions "$name"); do
    number=$(cat "$sys/block/$name/$part/partition")
    case $(sfdisk --part-type "$device" "$number" | tr 'a-f' 'A-F') in
      "$type_bios_grub")
        [ "$number" = 1 ] || fail "grub: bios_grub must be partition 1"
        [ -e "$muster/grub/boot.img" ] || continue
        write_sectors "$device" $core_sector 1024 <"$muster/grub/core.img" || fail "grub: cannot write core.img"
        # Padded with newlines: GRUB reads these sectors as a text file.
        { cat "$run/stub.cfg"; head -c $((stub_sectors * 512)) /dev/zero | tr '\000' '\n'; } | head -c $((stub_sectors * 512)) |
          write_sectors "$device" $stub_sector $stub_sectors || fail "grub: cannot write the stub"
        head -c 440 "$muster/grub/boot.img" | dd of="$device" bs=440 count=1 conv=notrunc,fsync 2>/dev/null || fail "grub: cannot write the boot sector"
        ;;
      "$type_esp")
        at=$(mount_point "$dev/$part")
        [ -n "$at" ] || fail "grub: the ESP $part is not mounted"
        mkdir -p "$at/EFI/BOOT" "$at/EFI/muster"
        for efi in "$muster"/grub/BOOT*.EFI; do
          [ -e "$efi" ] && { cp "$efi" "$at/EFI/BOOT/" || fail "grub: no room on the ESP"; }
        done
        cp "$run/stub.cfg" "$at/EFI/BOOT/grub.cfg"
        cp "$run/stub.cfg" "$at/EFI/muster/local.cfg"
        ;;
    esac
  done
}

# boot_order network-first: UEFI boot entries of network cards before all others (each group keeps its order); BIOS: nothing to do.
boot_order() {
  local order
  [ "$1" = network-first ] || fail "boot_order: unknown order $1"
  [ -d "$sys/firmware/efi" ] || return 0
  efibootmgr -v >"$run/boot-entries" 2>&1 || { say "boot_order: efibootmgr: $(tail -n 1 "$run/boot-entries")"; return 0; }
  order=$(network_first <"$run/boot-entries")
  [ -n "$order" ] || { say 'boot_order: no boot order to change'; return 0; }
  efibootmgr -q -o "$order" || say "boot_order: the firmware refused $order"
}

# network_first: efibootmgr -v on stdin, the new order on stdout. A network entry has a MAC() node, or says PXE, HTTP boot or network.
network_first() {
  awk '
    /^BootOrder: / { n = split($2, order, ",") }
    /^Boot[0-9A-F][0-9A-F][0-9A-F][0-9A-F]/ {
      text = toupper($0)
      if (text ~ /MAC\(|PXE|HTTP|NETWORK|IPV4|IPV6/) network[substr($1, 5, 4)] = 1
    }
    END {
      for (i = 1; i <= n; i++) if (network[order[i]]) first = first "," order[i]; else last = last "," order[i]
      print substr(first last, 2)
    }'
}

# erase NAME quick: no signature, no partition table, no marker: signatures of partitions and disk wiped, the first and last 2 MiB zero
# (the marker lies in the second MiB). The rest is discarded when the disk can; it is not overwritten otherwise.
erase() {
  local device name part size left
  device=$(device_of "$1") || exit 1
  name=${device##*/}
  [ "$2" = quick ] || fail "erase: unknown way $2"
  step "erasing $device"
  let_go "$device"
  size=$(disk_size "$name")
  [ "$size" -ge 8388608 ] || fail "erase: $device has only $size bytes"
  for part in $(partitions "$name"); do
    wipefs -q -a -f "$dev/$part" || fail "erase: cannot wipe $part"
  done
  wipefs -q -a -f "$device" || fail "erase: cannot wipe $device"
  blkdiscard -f "$device" 2>/dev/null || say "erase: $device does not discard"
  write_sectors "$device" 0 4096 </dev/zero || fail "erase: cannot write to $device"
  write_sectors "$device" $((size / 512 - 4096)) 4096 </dev/zero || fail "erase: cannot write to the end of $device"
  if [ -b "$device" ]; then blockdev --rereadpt "$device" 2>/dev/null || :; fi
  left=$(signatures "$name")
  [ -z "$left" ] || fail "erase: $device still has $left"
  printf '100\n' >"$run/percent"
}
