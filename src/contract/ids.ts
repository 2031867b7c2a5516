/**
 * Ids carry their cell, so routing needs no directory (architecture §4).
 *
 * A `system_id` is seven characters of a 24-letter alphabet: three for the cell's number, four for the machine. The alphabet has no
 * `e`, `i`, `o`, `u` and a system_id always has a letter, so YAML never reads one as a number or a boolean. An integer id is
 * `cell × 10¹¹ + n`, a safe integer. Cell 0 is the fleet itself: global rows, the same everywhere.
 */

const alphabet = '346789abcdfghkmnpqrtwxyz';
const base = alphabet.length;
const cellPlaces = base ** 3;
const machinePlaces = base ** 4;
const perCell = 100_000_000_000;

/** The highest number a cell may have: 24³ − 1. */
export const lastCell = cellPlaces - 1;
/** How many machines a cell can ever have had: 24⁴. */
export const machinesPerCell = machinePlaces;
/** The cell number of rows that are global. */
export const globalCell = 0;

/** Any integer id of the API: `cell × 10¹¹ + n`. */
export type Id = number;
/** A machine's or device's name on the wire: seven characters. */
export type SystemId = string;

function encode(value: number, places: number): string {
  let text = '';
  for (let rest = value, place = 0; place < places; place += 1) {
    text = alphabet[rest % base] + text;
    rest = Math.floor(rest / base);
  }
  return text;
}

function decode(text: string): number | undefined {
  let value = 0;
  for (const letter of text) {
    const digit = alphabet.indexOf(letter);
    if (digit < 0) return undefined;
    value = value * base + digit;
  }
  return value;
}

/**
 * The system_id of a cell's n-th machine; undefined when that number spells only digits (skip it and draw the next).
 * @throws RangeError when the cell or n does not fit.
 */
export function systemIdOf(cell: number, n: number): SystemId | undefined {
  if (!Number.isInteger(cell) || cell < 1 || cell > lastCell) throw new RangeError(`no such cell number: ${cell}`);
  if (!Number.isInteger(n) || n < 0 || n >= machinePlaces) throw new RangeError(`no such machine number: ${n}`);
  const id = encode(cell, 3) + encode(n, 4);
  return /[a-z]/.test(id) ? id : undefined;
}

/** True for seven characters of the alphabet with at least one letter. */
export function isSystemId(text: string): boolean {
  return text.length === 7 && /[a-z]/.test(text) && decode(text) !== undefined;
}

/** The integer id of a cell's n-th row. @throws RangeError when it would not be a safe id. */
export function idOf(cell: number, n: number): Id {
  if (!Number.isInteger(cell) || cell < 0 || cell > lastCell) throw new RangeError(`no such cell number: ${cell}`);
  if (!Number.isInteger(n) || n < 0 || n >= perCell) throw new RangeError(`row number out of range: ${n}`);
  return cell * perCell + n;
}

/** The number of the cell in which this row lives: 0 for global rows, undefined when the text is no id at all. */
export function cellOf(id: string | number): number | undefined {
  if (typeof id === 'string' && isSystemId(id)) return decode(id.slice(0, 3));
  const number = typeof id === 'number' ? id : /^\d{1,16}$/.test(id) ? Number(id) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < 0) return undefined;
  const cell = Math.floor(number / perCell);
  return cell <= lastCell ? cell : undefined;
}
