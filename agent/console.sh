# Words on the console and text encoded for others. Sourced by everything here. $run is where this boot keeps its notes.
run=${MUSTER_RUN:-/run/muster}
muster=${MUSTER_HOME:-/muster}
sys=${MUSTER_SYS:-/sys}
dev=${MUSTER_DEV:-/dev}
proc=${MUSTER_PROC:-/proc}

uptime_seconds() { cut -d. -f1 "$proc/uptime"; }

# say WORDS…: one line for whoever watches the serial console.
say() { printf 'muster [%s] %s\n' "$(cut -d' ' -f1 "$proc/uptime")" "$*" >&2; }

# fail WORDS…: says why, notes it for the report to the cell, ends the (sub)shell.
fail() {
  say "FAILED: $*"
  printf '%s\n' "$*" >"$run/failure"
  exit 1
}

# argument NAME: the value of NAME=… on the kernel command line, or nothing.
argument() { tr ' ' '\n' <"$proc/cmdline" | sed -n "s/^$1=//p" | tail -n 1; }

# json_string TEXT: TEXT as a JSON string, control characters left out.
json_string() {
  printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037\177' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')"
}

# json_number TEXT: TEXT when it is a plain number, else 0 (the kernel says -1 where it does not know).
json_number() {
  case $1 in
    '' | *[!0-9]*) printf 0 ;;
    *) printf '%s' "$1" ;;
  esac
}

# url_encode TEXT: application/x-www-form-urlencoded with %20 for a blank (RFC 3986 §2.1), bytes outside the unreserved set escaped.
url_encode() {
  printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | awk '
    { n = split($0, byte, " ")
      for (i = 1; i <= n; i++) {
        code = index("0123456789abcdef", substr(byte[i], 1, 1)) * 16 + index("0123456789abcdef", substr(byte[i], 2, 1)) - 17
        char = sprintf("%c", code)
        if (code < 128 && char ~ /[A-Za-z0-9._~-]/) printf "%s", char
        else printf "%%%s", toupper(byte[i])
      } }'
}

# trimmed FILE: the first line of a text file of /sys, printable ASCII only (vendors write anything) and 250 letters at most, without blanks
# at either end; nothing when it is absent or the vendor left a filler there.
trimmed() {
  [ -r "$1" ] || return 0
  tr -cd '\012\040-\176' <"$1" 2>/dev/null | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^\(To be filled by O\.E\.M\.\|Not Specified\|None\)$/d' | head -n 1 | cut -c1-250
}
