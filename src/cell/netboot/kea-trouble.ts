/** Kea's log, read for the few troubles an operator can do something about. Pure. */

const causes: readonly (readonly [RegExp, string])[] = [
  [
    /(?:Permission denied|EACCES)/i,
    'Kea may not open its files. If AppArmor runs here: Debian’s profile usr.sbin.kea-dhcp4 allows only /etc/kea, /run/kea and /var/lib/kea; disable that profile',
  ],
  [
    /Operation not permitted|failed to open raw socket/i,
    'Kea may not open raw sockets: it wants root or CAP_NET_RAW and CAP_NET_BIND_SERVICE',
  ],
  [/already running|DHCP4_ALREADY_RUNNING|PID file.*exists/i, 'another Kea runs with the same configuration file'],
  [/Address already in use/i, 'another DHCP server on this host listens on port 67 (isc-dhcp-server, dnsmasq or a second Kea)'],
];

/** What the end of Kea's log means; undefined when it says nothing that is known. */
export function explainKea(log: string): string | undefined {
  const recent = log
    .split('\n')
    .filter((line) => / (?:ERROR|FATAL) /.test(line) || !/ (?:INFO|WARN|DEBUG) /.test(line))
    .slice(-20);
  const last = recent.filter(Boolean).at(-1);
  const cause = causes.find(([pattern]) => recent.some((line) => pattern.test(line)))?.[1];
  if (cause !== undefined) return `${cause}. Kea said: ${last}`;
  return last === undefined ? undefined : `Kea said: ${last}`;
}
