# PCI and USB devices and NUMA nodes, as JSON. Reads only. Needs console.sh.

pci_ids=${MUSTER_PCI_IDS:-/usr/share/misc/pci.ids}

# pci_of PATH: the last PCI address on the way to a device of /sys, or nothing.
pci_of() { readlink -f "$1" 2>/dev/null | tr / '\n' | sed -n '/^[0-9a-f]\{4\}:[0-9a-f]\{2\}:[0-9a-f]\{2\}\.[0-7]$/p' | tail -n 1; }

# driver_of PATH: the kernel module that drives a device of /sys; nothing for none.
driver_of() { [ ! -e "$1/driver" ] || basename "$(readlink -f "$1/driver")"; }

# pci_lines: address, class, vendor, product, NUMA node (-1: there is only one) and driver, one device a line.
pci_lines() {
  local path
  for path in "$sys"/bus/pci/devices/*; do
    [ -r "$path/vendor" ] || continue
    printf '%s %s %s %s %s %s\n' "${path##*/}" "$(cat "$path/class")" "$(cat "$path/vendor")" "$(cat "$path/device")" \
      "$(cat "$path/numa_node" 2>/dev/null || echo -1)" "$(driver_of "$path")"
  done
}

# pci_devices: with the names that pci.ids has for the numbers, where it is there. One reading of it, however many devices.
pci_devices() {
  local ids="$pci_ids"
  [ -r "$ids" ] || ids=/dev/null
  pci_lines | awk -v ids="$ids" '
    function text(s) { gsub(/[^ -~]/, "", s); gsub(/["\\]/, "", s); return "\"" substr(s, 1, 250) "\"" }
    { line[++n] = $0; wanted[substr($3, 3)] = 1; wanted[substr($3, 3) substr($4, 3)] = 1 }
    END {
      while ((getline row < ids) > 0) {
        if (row ~ /^C /) break
        if (row ~ /^[0-9a-f][0-9a-f][0-9a-f][0-9a-f]  /) { vendor = substr(row, 1, 4); key = vendor; name = substr(row, 7) }
        else if (row ~ /^\t[0-9a-f][0-9a-f][0-9a-f][0-9a-f]  /) { key = vendor substr(row, 2, 4); name = substr(row, 8) }
        else continue
        if (key in wanted) names[key] = name
      }
      for (i = 1; i <= n; i++) {
        split(line[i], f, " ")
        v = substr(f[3], 3); p = substr(f[4], 3)
        printf "%s{\"address\":\"%s\",\"class\":\"%s\",\"vendor\":\"%s\",\"product\":\"%s\",\"vendor_name\":%s,\"product_name\":%s,\"numa\":%d,\"driver\":%s}", \
          (i > 1 ? "," : ""), f[1], substr(f[2], 3), v, p, text(names[v]), text(names[v p]), f[5], text(f[6])
      }
    }'
}

usb_devices() {
  local path comma=''
  for path in "$sys"/bus/usb/devices/*; do
    [ -r "$path/idVendor" ] || continue
    printf '%s{"bus":%s,"device":%s,"vendor":%s,"product":%s,"vendor_name":%s,"product_name":%s,"driver":%s}' "$comma" \
      "$(json_number "$(cat "$path/busnum")")" "$(json_number "$(cat "$path/devnum")")" "$(json_string "$(cat "$path/idVendor")")" \
      "$(json_string "$(cat "$path/idProduct")")" "$(json_string "$(trimmed "$path/manufacturer")")" \
      "$(json_string "$(trimmed "$path/product")")" "$(json_string "$(driver_of "$path")")"
    comma=,
  done
}

# numbers 0-2,5: 0,1,2,5
numbers() {
  printf '%s' "$1" | tr ',' '\n' | awk -F- '
    { last = NF > 1 ? $2 : $1; for (i = $1; i <= last; i++) { printf "%s%d", comma, i; comma = "," } }'
}

# huge_pages PATH: those that are set up, sizes in KiB.
huge_pages() {
  local path size total comma=''
  for path in "$1"/hugepages/hugepages-*kB; do
    total=$(cat "$path/nr_hugepages" 2>/dev/null)
    [ "${total:-0}" -gt 0 ] || continue
    size=${path##*-}
    printf '%s{"page_size":%s,"total":%s}' "$comma" "${size%kB}" "$total"
    comma=,
  done
}

numa_nodes() {
  local path comma=''
  for path in "$sys"/devices/system/node/node[0-9]*; do
    [ -r "$path/meminfo" ] || continue
    printf '%s{"node":%s,"cores":[%s],"memory_mib":%s,"hugepages":[%s]}' "$comma" "${path##*/node}" "$(numbers "$(cat "$path/cpulist")")" \
      "$(awk '$3 == "MemTotal:" { printf "%d", $4 / 1024 }' "$path/meminfo")" "$(huge_pages "$path")"
    comma=,
  done
}
