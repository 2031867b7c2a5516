/** Public SSH keys as in authorized_keys: `type base64 [comment]`, one line (RFC 4253 §6.6, RFC 4251 §5 for the string inside). */

export interface SshKey {
  readonly type: string;
  /** The key itself in base64: two lines with the same blob are the same key. */
  readonly blob: string;
  /** The line, trimmed. */
  readonly line: string;
}

const types = new Set([
  'ssh-rsa',
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);

/**
 * Reads one line; undefined when it is no public key. Options before the type (`command="…"`) are refused: the key is for whole machines.
 */
export function parseSshKey(text: string): SshKey | undefined {
  const line = text.trim();
  const match = /^(\S+) +([A-Za-z0-9+/]+={0,2})(?: +\P{Cc}*)?$/u.exec(line);
  const type = match?.[1] ?? '';
  const blob = match?.[2] ?? '';
  if (!types.has(type)) return undefined;
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.toString('base64') !== blob || bytes.length < 8) return undefined;
  // The blob begins with its own type, length first.
  const length = bytes.readUInt32BE(0);
  const inside = bytes.subarray(4, 4 + length).toString('latin1');
  return length === type.length && inside === type && bytes.length > 4 + length ? { type, blob, line } : undefined;
}
