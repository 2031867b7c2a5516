/** Outputs of scripts as files. Pure but for compressing. */
import { gzipSync } from 'node:zlib';
import { bytes, type BodyReply } from '../../http/reply.ts';
import { tar } from '../../http/tar.ts';
import type { ScriptResultRow } from '../db/result-read.ts';

export type Output = 'combined' | 'stdout' | 'stderr' | 'result' | 'all';

const parts = {
  combined: { suffix: '', of: (row: ScriptResultRow) => row.output },
  stdout: { suffix: '.out', of: (row: ScriptResultRow) => row.stdout },
  stderr: { suffix: '.err', of: (row: ScriptResultRow) => row.stderr },
  result: { suffix: '.yaml', of: (row: ScriptResultRow) => row.result },
} as const;

/** File names with their content, by name. */
function filesOf(rows: readonly ScriptResultRow[], output: Output): [string, Buffer][] {
  const wanted = output === 'all' ? Object.values(parts) : [parts[output]];
  const files = rows.flatMap((row) => wanted.map((part): [string, Buffer] => [`${row.name}${part.suffix}`, part.of(row)]));
  return files.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

export function resultDownload(rows: readonly ScriptResultRow[], output: Output, filetype: 'txt' | 'tgz'): BodyReply {
  const files = filesOf(rows, output);
  const [first] = rows;
  if (filetype === 'tgz') {
    const folder = `${first?.system_id ?? 'results'}-${first?.set_id ?? 0}`;
    const archive = tar(files.map(([name, content]) => ({ path: `${folder}/${name.slice(-70)}`, mode: 0o644, content })));
    return bytes(gzipSync(archive), 'application/gzip');
  }
  const [only] = files;
  if (only && files.length === 1) return bytes(only[1]);
  return bytes(Buffer.concat(files.flatMap(([name, content]) => [heading(name), content, Buffer.from('\n')])));
}

/** A line of 80 characters with the name in its middle. */
function heading(name: string): Buffer {
  const dashes = '-'.repeat(Math.max(1, Math.floor((78 - name.length) / 2)));
  return Buffer.from(`${dashes} ${name} ${dashes}\n`);
}
