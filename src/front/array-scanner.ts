/**
 * A JSON array read as bytes: where its content begins and ends in each chunk, and where its top-level commas are. It looks at quotes and
 * brackets only, keeps four numbers, and copies nothing, so that a front passes on lists of any length without parsing them.
 */
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openSquare = 0x5b;
const closeSquare = 0x5d;
const openCurly = 0x7b;
const closeCurly = 0x7d;

/** What is not an array, or ends before its closing bracket. */
export class BrokenArray extends Error {
  override readonly name = 'BrokenArray';
}

export interface ArrayPart {
  /** The bytes between the outer brackets are `chunk.subarray(from, to)`; equal when this chunk has none. */
  readonly from: number;
  readonly to: number;
  /** Positions in the chunk of the commas between elements. */
  readonly commas: readonly number[];
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export class ArrayScanner {
  #place: 'before' | 'opened' | 'inside' | 'after' = 'before';
  #depth = 0;
  #inString = false;
  #escaped = false;
  #filled = false;

  /** True once something stood between the brackets. */
  get filled(): boolean {
    return this.#filled;
  }

  /** @throws BrokenArray */
  push(chunk: Uint8Array): ArrayPart {
    let at = this.#begin(chunk);
    const from = at;
    const commas: number[] = [];
    if (this.#place === 'inside') at = this.#inside(chunk, at, commas);
    const to = this.#place === 'inside' ? at : this.#contentEnd(at, from);
    if (this.#place === 'after') {
      for (let rest = this.#filled ? at : from; rest < chunk.length; rest += 1) {
        if (!isSpace(chunk[rest]!)) throw new BrokenArray('there is something behind the array');
      }
    }
    return { from, to, commas };
  }

  /** The bytes have ended. @throws BrokenArray when the array has not. */
  end(): void {
    if (this.#place !== 'after') throw new BrokenArray('the array does not end');
  }

  /** Over what stands before the first element. */
  #begin(chunk: Uint8Array): number {
    let at = 0;
    for (; at < chunk.length && (this.#place === 'before' || this.#place === 'opened'); at += 1) {
      const byte = chunk[at]!;
      if (isSpace(byte)) continue;
      if (this.#place === 'before') {
        if (byte !== openSquare) throw new BrokenArray('this is no array');
        this.#place = 'opened';
      } else if (byte === closeSquare) {
        this.#place = 'after';
      } else {
        this.#place = 'inside';
        this.#filled = true;
        return at;
      }
    }
    return at;
  }

  /** Over elements; gives the position behind the closing bracket, or the chunk's length. */
  #inside(chunk: Uint8Array, from: number, commas: number[]): number {
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    let at = from;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) inString = false;
      } else if (byte === quote) inString = true;
      else if (byte === openCurly || byte === openSquare) depth += 1;
      else if (byte === closeCurly || byte === closeSquare) {
        if (depth === 0) {
          if (byte !== closeSquare) throw new BrokenArray('the array closes with a brace');
          this.#place = 'after';
          at += 1;
          break;
        }
        depth -= 1;
      } else if (byte === comma && depth === 0) commas.push(at);
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    return at;
  }

  /** Where content ended in this chunk, given the position behind the bracket. */
  #contentEnd(at: number, from: number): number {
    return this.#filled && at > from ? at - 1 : from;
  }
}
