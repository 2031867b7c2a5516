/** Who asks for a boot script, read from the query that start.ipxe builds. Everything in it is the machine's word: validated, never echoed. */

export type Firmware = 'bios' | 'uefi';

export interface BootAsker {
  /** `52:54:00:00:00:01`; undefined when it was missing or no MAC. */
  readonly mac?: string;
  readonly uuid?: string;
  readonly serial?: string;
  readonly firmware: Firmware;
  readonly architecture: 'amd64' | 'arm64';
  /** The source address of the request. */
  readonly address: string;
  /** How often this boot has asked already, from 1. */
  readonly tries: number;
}

/** A MAC address in lower case with colons, from any of its usual spellings; undefined for what is none, is zero or is a group's. */
export function macAddress(text: string): string | undefined {
  if (!/^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(text)) return undefined;
  const mac = text.toLowerCase().replaceAll('-', ':');
  const group = Number.parseInt(mac.slice(0, 2), 16) & 1;
  return group || mac === '00:00:00:00:00:00' ? undefined : mac;
}

/** Boards without a UUID of their own say zeros or ones; that identifies nobody. */
function hardwareUuid(text: string): string | undefined {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return undefined;
  const uuid = text.toLowerCase();
  return /^[0-]+$/.test(uuid) || /^[f-]+$/.test(uuid) ? undefined : uuid;
}

function serialNumber(text: string): string | undefined {
  const serial = text.trim();
  return /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(serial) ? serial : undefined;
}

/** Never throws: what cannot be read is left out, and a machine without a MAC is an unknown machine. */
export function bootAsker(query: URLSearchParams, address: string): BootAsker {
  const mac = macAddress(query.get('mac') ?? '');
  const uuid = hardwareUuid(query.get('uuid') ?? '');
  const serial = serialNumber(query.get('serial') ?? '');
  const tries = Number(/^\d{1,4}$/.exec(query.get('try') ?? '')?.[0] ?? 1);
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(serial === undefined ? {} : { serial }),
    firmware: query.get('platform') === 'efi' ? 'uefi' : 'bios',
    // undionly.kpxe is a 32-bit program (`i386`) on machines that run amd64 kernels.
    architecture: query.get('arch') === 'arm64' ? 'arm64' : 'amd64',
    address,
    tries: Math.max(1, tries),
  };
}
