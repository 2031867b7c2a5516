/** Reads the `disk` lines of a claim or spend. Bytes from a machine: what does not fit is a 400, never a guess. */
import { invalid } from '../../contract/errors.ts';

export interface ReportedDisk {
  readonly name: string;
  readonly serial: string;
  readonly wwn: string;
  readonly size: number;
  readonly signatures: readonly string[];
  readonly marker: string;
}

const name = /^[A-Za-z0-9_.:-]{1,64}$/;
const signature = /^[A-Za-z0-9_.+-]{1,32}$/;
/** Printable ASCII: what serials and markers consist of. */
const printable = /^[\x20-\x7e]{0,512}$/;

/** @throws Failure `invalid` that names the line and field. */
export function readDiskReport(lines: readonly string[]): ReportedDisk[] {
  return lines.map((line, index) => {
    const fields = new URLSearchParams(line);
    const text = (field: string, pattern: RegExp): string => {
      const value = fields.get(field) ?? '';
      if (!pattern.test(value)) throw invalid({ disk: [`Line ${index + 1}: ${field} is not acceptable.`] });
      return value;
    };
    const size = Number(text('size', /^\d{1,16}$/));
    if (!Number.isSafeInteger(size)) throw invalid({ disk: [`Line ${index + 1}: size is not a number of bytes.`] });
    const signatures = (fields.get('signatures') ?? '').split(',').filter((word) => word !== '');
    if (signatures.length > 64 || signatures.some((word) => !signature.test(word))) {
      throw invalid({ disk: [`Line ${index + 1}: signatures are not acceptable.`] });
    }
    return {
      name: text('name', name),
      serial: text('serial', printable).trim(),
      wwn: text('wwn', printable).trim(),
      size,
      signatures,
      marker: text('marker', printable).trim(),
    };
  });
}
