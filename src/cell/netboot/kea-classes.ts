/** Which loader by which firmware: RFC 4578 client architectures (option 93), user class (77) and vendor class (60). */
import type { Json } from './dhcp-snippet.ts';

export interface BootService {
  /** The service address that machines use, an IPv4 address. */
  readonly address: string;
  readonly port: number;
  /** Names of the loaders that this cell has (loaders.ts). */
  readonly loaders: readonly string[];
}

interface FirmwareClass {
  readonly name: string;
  readonly architectures: readonly number[];
  readonly loader: string;
  /** UEFI HTTP Boot takes a URL, and only from a server that says `HTTPClient` too. */
  readonly http?: true;
}

/** IANA's processor architecture types: 0 BIOS, 7 and 9 x64 UEFI, 11 arm64 UEFI, 16 x64 HTTP, 19 arm64 HTTP. */
const firmware: readonly FirmwareClass[] = [
  { name: 'bios', architectures: [0], loader: 'undionly.kpxe' },
  { name: 'uefi-amd64', architectures: [7, 9], loader: 'snponly.efi' },
  { name: 'uefi-arm64', architectures: [11], loader: 'snponly-arm64.efi' },
  { name: 'uefi-http-amd64', architectures: [16], loader: 'snponly.efi', http: true },
  { name: 'uefi-http-arm64', architectures: [19], loader: 'snponly-arm64.efi', http: true },
];

function architectureTest(architectures: readonly number[]): string {
  const tests = architectures.map((number) => `option[93].hex == 0x${number.toString(16).padStart(4, '0')}`);
  return `not member('ipxe') and (${tests.join(' or ')})`;
}

/** Kea's client classes. A firmware whose loader the cell lacks gets an address and no boot file. */
export function clientClasses(service: BootService): readonly Json[] {
  const base = `http://${service.address}:${service.port}/boot`;
  const ipxe: Json = {
    name: 'ipxe',
    // iPXE writes the bare word; RFC 3004 would have its length before it.
    test: "option[77].hex == 'iPXE' or option[77].hex == 0x0469505845",
    'next-server': service.address,
    'boot-file-name': `${base}/start.ipxe`,
    // no-pxedhcp (175.176) = 1: do not wait 2 s for a ProxyDHCP offer.
    'option-data': [{ code: 175, space: 'dhcp4', 'csv-format': false, data: 'b00101', 'always-send': true }],
  };
  const loaders = new Set(service.loaders);
  return [
    ipxe,
    ...firmware
      .filter(({ loader }) => loaders.has(loader))
      .map(({ name, architectures, loader, http }): Json => ({
        name,
        test: architectureTest(architectures),
        'next-server': service.address,
        'boot-file-name': http ? `${base}/loader/${loader}` : loader,
        'option-data': http ? [{ name: 'vendor-class-identifier', data: 'HTTPClient', 'always-send': true }] : [],
      })),
  ];
}
