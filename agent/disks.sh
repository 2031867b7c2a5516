# What the kernel knows of whole disks. Reads only. Needs console.sh.

# The deployment marker: 512 bytes at LBA 4095 (of 512), the last sector of the bios_grub partition.
marker_sector=4095

# whole_disks: names of disks that hold data, one a line; no CD-ROM, no loop, RAM or mapped devices, nothing of size 0.
whole_disks() {
  local path name
  for path in "$sys"/block/*; do
    name=${path##*/}
    case $name in
      '*' | loop* | ram* | zram* | sr* | fd* | dm-* | md* | nbd* | mtdblock* | nvme*c*n*) continue ;;
    esac
    [ "$(cat "$path/size" 2>/dev/null || echo 0)" -gt 0 ] || continue
    printf '%s\n' "$name"
  done
}

# disk_size NAME: bytes. /sys counts sectors of 512 whatever the disk's own block size.
disk_size() { echo $(($(cat "$sys/block/$1/size") * 512)); }

disk_block_size() { cat "$sys/block/$1/queue/logical_block_size" 2>/dev/null || echo 512; }

# disk_serial NAME: virtio says it in serial, NVMe in device/serial, SCSI and SATA in VPD page 0x80 (SPC-4 §7.8.19: 4 bytes of header).
disk_serial() {
  local path="$sys/block/$1" file
  for file in "$path/serial" "$path/device/serial"; do
    [ -r "$file" ] && [ -n "$(trimmed "$file")" ] && { trimmed "$file"; return; }
  done
  [ -r "$path/device/vpd_pg80" ] || return 0
  tail -c +5 "$path/device/vpd_pg80" | tr -cd '\040-\176' | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//'
}

# disk_wwn NAME: as udev writes ID_WWN: 0x… for naa, eui.… and nvme.… as they are; t10 names are no WWN.
disk_wwn() {
  local id file
  for file in "$sys/block/$1/wwid" "$sys/block/$1/device/wwid"; do
    id=$(trimmed "$file")
    case $id in
      naa.*) printf '0x%s\n' "${id#naa.}"; return ;;
      eui.* | nvme.* | uuid.*) printf '%s\n' "$id"; return ;;
    esac
  done
}

disk_model() {
  local file
  for file in "$sys/block/$1/device/model" "$sys/block/$1/device/name"; do
    [ -r "$file" ] && { trimmed "$file"; return; }
  done
}

# disk_bus NAME: pci-0000:00:04.0, the last PCI address on the way to the disk (udev's by-path without what follows): the name of a disk
# that has neither serial nor WWN.
disk_bus() {
  readlink -f "$sys/block/$1/device" 2>/dev/null | tr / '\n' |
    sed -n 's/^\([0-9a-f]\{4\}:[0-9a-f]\{2\}:[0-9a-f]\{2\}\.[0-7]\)$/pci-\1/p' | tail -n 1
}

# disk_id_path NAME: the link that udev makes in a deployed system (the agent has no udev).
disk_id_path() {
  local serial wwn model
  serial=$(disk_serial "$1")
  wwn=$(disk_wwn "$1")
  model=$(disk_model "$1" | tr ' ' _)
  case $1 in
    vd*) [ -n "$serial" ] && { printf '/dev/disk/by-id/virtio-%.20s\n' "$serial"; return; } ;;
    nvme*) [ -n "$serial" ] && { printf '/dev/disk/by-id/nvme-%s_%s\n' "$model" "$serial"; return; } ;;
    *) [ -n "$wwn" ] && { printf '/dev/disk/by-id/wwn-%s\n' "$wwn"; return; } ;;
  esac
  [ -n "$(disk_bus "$1")" ] && printf '/dev/disk/by-path/%s\n' "$(disk_bus "$1")"
  return 0
}

# partition DEVICE NUMBER: /dev/vda 3 -> /dev/vda3, /dev/nvme0n1 3 -> /dev/nvme0n1p3.
partition() {
  case $1 in
    *[0-9]) printf '%sp%s\n' "$1" "$2" ;;
    *) printf '%s%s\n' "$1" "$2" ;;
  esac
}

# partitions NAME: names of the partitions the kernel has of a disk.
partitions() {
  local path
  for path in "$sys/block/$1/$1"*; do
    [ -e "$path/partition" ] && printf '%s\n' "${path##*/}"
  done
  return 0
}

# signatures NAME: what is on the disk and its partitions, lower case, once each, joined by commas; empty for a blank disk.
signatures() {
  local part
  for part in "$1" $(partitions "$1"); do
    wipefs --noheadings --no-act --output TYPE "$dev/$part" 2>/dev/null || echo unreadable
  done | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9_.-]//g' | sed '/^$/d' | sort -u | paste -s -d , -
}

# read_marker DEVICE: the deployment marker's line, or nothing.
read_marker() {
  dd if="$1" bs=512 skip=$marker_sector count=1 2>/dev/null | tr -d '\000' | head -n 1 | tr -cd '\012\040-\176' | sed -n '/^muster /p'
}

# disk_line NAME: one disk of a claim, URL-encoded key=value pairs joined by &.
disk_line() {
  printf 'name=%s&serial=%s&wwn=%s&bus=%s&size=%s&block_size=%s&model=%s&signatures=%s&marker=%s' \
    "$(url_encode "$1")" "$(url_encode "$(disk_serial "$1")")" "$(url_encode "$(disk_wwn "$1")")" "$(url_encode "$(disk_bus "$1")")" \
    "$(disk_size "$1")" "$(disk_block_size "$1")" "$(url_encode "$(disk_model "$1")")" "$(url_encode "$(signatures "$1")")" \
    "$(url_encode "$(read_marker "$dev/$1")")"
}
