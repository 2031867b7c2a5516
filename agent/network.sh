# The boot network: IPv4 by DHCP on the card that the firmware booted from. Needs console.sh.

# boot_mac: from BOOTIF=01-52-54-00-00-00-01 (PXELINUX's form: hardware type, then the address), lower case with colons.
boot_mac() { argument BOOTIF | tr 'A-Z-' 'a-z:' | sed -n 's/^01:\(\([0-9a-f]\{2\}:\)\{5\}[0-9a-f]\{2\}\)$/\1/p'; }

# cards: names of the Ethernet cards (ARPHRD_ETHER = 1) that are hardware, one a line.
cards() {
  local path
  for path in "$sys"/class/net/*; do
    [ -e "$path/device" ] && [ "$(cat "$path/type" 2>/dev/null)" = 1 ] && printf '%s\n' "${path##*/}"
  done
  return 0
}

mac_of() { cat "$sys/class/net/$1/address"; }

# boot_cards: the cards to ask for an address, the one named by BOOTIF alone when it is there.
boot_cards() {
  local wanted card
  wanted=$(boot_mac)
  for card in $(cards); do
    [ -n "$wanted" ] && [ "$(mac_of "$card")" = "$wanted" ] && { printf '%s\n' "$card"; return; }
  done
  cards
}

# network_up: every card up (the inventory wants its link), then addresses until one card has one. udhcpc stays to renew the lease: a write
# can take longer than a lease lasts.
network_up() {
  local card tries=0
  while :; do
    for card in $(cards); do ip link set "$card" up 2>/dev/null; done
    for card in $(boot_cards); do
      if udhcpc -i "$card" -n -t 6 -T 1 -A 1 -s "$muster/udhcpc" -p "$run/udhcpc.pid" >/dev/null 2>&1; then
        boot_card=$card
        say "network: $card $(mac_of "$card") has $(ip -4 -o addr show dev "$card" | awk '{ print $4; exit }')"
        return 0
      fi
    done
    tries=$((tries + 1))
    [ $tries -lt 120 ] || fail "no DHCP answer in $tries rounds on: $(boot_cards | tr '\n' ' ')"
    say "network: no DHCP answer yet on: $(boot_cards | tr '\n' ' ')"
    sleep 2
  done
}
