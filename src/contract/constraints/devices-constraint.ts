/** `devices=`: a PCI or USB device that a machine must have, as `vendor_id=10de,product_id=1eb8`. Pure (maas-api.md §1.5). */
import type { Parsed } from './network-specifier.ts';

export const deviceKeys = ['vendor_id', 'product_id', 'vendor_name', 'product_name', 'commissioning_driver'] as const;
export type DeviceKey = (typeof deviceKeys)[number];

/** What one device must be: all of these. */
export type DeviceWish = Readonly<Partial<Record<DeviceKey, string>>>;

export function parseDevices(text: string): Parsed<DeviceWish> {
  const wish = new Map<DeviceKey, string>();
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=');
    const key = deviceKeys.find((one) => one === pair.slice(0, Math.max(0, at)).trim());
    const value = pair.slice(at + 1).trim();
    // The missing quote is MAAS's.
    if (key === undefined || value === '' || wish.has(key)) return { error: `Unknown devices constraint: '${pair.slice(0, 100)}` };
    wish.set(key, value);
  }
  return { value: Object.fromEntries(wish) };
}

export function renderDevices(wish: DeviceWish): string {
  return deviceKeys.flatMap((key) => (wish[key] === undefined ? [] : [`${key}=${wish[key]}`])).join(',');
}
