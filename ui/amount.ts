/** Amounts in words. Pure. */

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const decimal = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

function scaled(value: number, step: number, names: readonly string[]): string {
  let at = 0;
  let left = value;
  for (; left >= step && at < names.length - 1; at += 1) left /= step;
  return `${left >= 10 || Number.isInteger(left) ? Math.round(left) : left.toFixed(1)} ${names[at]}`;
}

/** Memory, from MiB: `16 GiB`. */
export function memoryText(mebibytes: number): string {
  return mebibytes === 0 ? '—' : scaled(mebibytes * 1024 * 1024, 1024, binary);
}

/** A disk, from bytes, in the units that disks are sold in: `480 GB`. */
export function diskText(bytes: number): string {
  return bytes === 0 ? '—' : scaled(bytes, 1000, decimal);
}

/** `1 machine`, `12 machines`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
