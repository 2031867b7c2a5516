/** Times in words. Pure. */

const units: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
];

/** A length of time in its largest unit: `12 s`, `3 min`, `4 d`. Negative ones, which clocks that differ make, are `0 s`. */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** The same to the second, for work that is measured: `0.4 s`, `12 s`, `3:07 min`, `2:03:07 h`. */
export function exactly(ms: number): string {
  if (ms < 0) return '0 s';
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} h`;
}

/** The clock's time where the reader is: `14:03:07`. */
export function clock(time: string): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

/** Date and time where the reader is, for tooltips. */
export function moment(time: string): string {
  return new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

/** MAAS's `Fri, 07 Dec. 2018 20:11:08`, which is UTC, as RFC 3339; as given when it is something else. */
export function instantOfMaas(text: string): string {
  const time = new Date(`${text.replace('.', '')} UTC`);
  return Number.isNaN(time.getTime()) ? text : time.toISOString();
}
