/** Architectures as clients write them: `amd64/generic`, or `amd64` for all of its kind. Debian's names. */

export const architectures = ['amd64', 'arm64', 'armhf', 'i386', 'ppc64el', 'riscv64', 's390x'] as const;

/** `kind/sub` or `kind` in the one spelling that is stored (`arm` is armhf); undefined when it is none. */
export function readArchitecture(text: string): string | undefined {
  const match = /^([a-z0-9]{2,16})(?:\/([a-z0-9][a-z0-9._-]{0,63}))?$/.exec(text.trim().toLowerCase());
  const kind = match?.[1] === 'arm' ? 'armhf' : match?.[1];
  if (kind === undefined || !(architectures as readonly string[]).includes(kind)) return undefined;
  return match?.[2] === undefined ? kind : `${kind}/${match[2]}`;
}

/** The same for one machine: never all of a kind. */
export function machineArchitecture(text: string): string | undefined {
  const read = readArchitecture(text);
  return read === undefined || read.includes('/') ? read : `${read}/generic`;
}
