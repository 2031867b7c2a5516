/** What a DNS record may say, by its type (RFC 1035 §3.3, RFC 2782, RFC 4255). Pure. */

const label = String.raw`[_a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[_a-zA-Z0-9])?`;
const dnsName = new RegExp(`^(${label}\\.)*${label}\\.?$`);

/** Names as targets: labels with underscores, with or without the last dot. */
function isDnsName(text: string): boolean {
  return text.length <= 254 && dnsName.test(text);
}

/** A name within a domain: `@`, or labels, the first of which may be `*`. */
export function isOwnerName(text: string): boolean {
  return text === '@' || text === '*' || (!text.endsWith('.') && isDnsName(text.replace(/^\*\./, '')));
}

function is16Bit(text: string | undefined): boolean {
  return /^\d{1,5}$/.test(text ?? '') && Number(text) <= 65_535;
}

const checks: Readonly<Record<string, (data: string) => string | undefined>> = {
  CNAME: (data) => (isDnsName(data) ? undefined : "Invalid CNAME: Should be '<server>'."),
  NS: (data) => (isDnsName(data) ? undefined : "Invalid NS: Should be '<server>'."),
  MX: (data) => {
    const [preference, server = '', ...more] = data.split(/\s+/);
    const isGood = is16Bit(preference) && isDnsName(server) && more.length === 0;
    return isGood ? undefined : "Invalid MX: Should be '<preference> <server>'. Range for preference is 0-65535.";
  },
  SRV: (data) => {
    const [priority, weight, port, target = '', ...more] = data.split(/\s+/);
    const isGood = [priority, weight, port].every(is16Bit) && (target === '.' || isDnsName(target)) && more.length === 0;
    return isGood
      ? undefined
      : "Invalid SRV: Should be '<priority> <weight> <port> <server>'. Range for priority, weight, and port are 0-65535.";
  },
  SSHFP: (data) =>
    /^\d{1,3}\s+\d{1,3}\s+[0-9a-fA-F]+$/.test(data) ? undefined : "Invalid SSHFP: Should be '<algorithm> <fptype> <fingerprint>'.",
  TXT: () => undefined,
};

/** Errors by field; undefined when the record is good. `rrtype` in capitals. */
export function recordErrors(rrtype: string, rrdata: string): Readonly<Record<string, string[]>> | undefined {
  const check = checks[rrtype];
  if (!check)
    return { rrtype: [`${rrtype} is not one of ${Object.keys(checks).join(' ')}. Addresses are given to a name in dnsresources.`] };
  // What is not printed would be another line of a zone.
  const wrong = /\p{Cc}/u.test(rrdata.replaceAll('\t', ' ')) ? 'Control characters are not allowed.' : check(rrdata.trim());
  return wrong === undefined ? undefined : { rrdata: [wrong] };
}

/** Why these types cannot be at one name; undefined when they can. A CNAME is alone (RFC 1034 §3.6.2). */
export function togetherError(types: readonly string[]): string | undefined {
  const aliases = types.filter((type) => type === 'CNAME').length;
  if (aliases > 0 && aliases < types.length) return 'CNAME records for a name cannot coexist with non-CNAME records.';
  return aliases > 1 ? 'Only one CNAME can be associated with a name.' : undefined;
}
