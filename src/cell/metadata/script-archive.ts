/** The archive of scripts that a machine is to run: MAAS's `index.json`, and the same as `index.tsv` for an agent in sh. */
import { tar } from '../../http/tar.ts';

export interface ScriptToRun {
  readonly resultId: number;
  readonly name: string;
  readonly folder: 'commissioning' | 'testing' | 'release' | 'deployment';
  readonly content: string;
  readonly timeoutSeconds: number;
  readonly started: boolean;
}

/** Scripts in the order of (name, result id), as MAAS's runner expects them. */
export function scriptArchive(scripts: readonly ScriptToRun[]): Buffer {
  const ordered = scripts.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.resultId - b.resultId));
  const index: Record<string, object[]> = {};
  for (const script of ordered) {
    const list = (index[`${script.folder}_scripts`] ??= []);
    list.push({
      name: script.name,
      path: `${script.folder}/${script.name}`,
      script_result_id: script.resultId,
      script_version_id: null,
      timeout_seconds: script.timeoutSeconds,
      parallel: 0,
      hardware_type: 0,
      parameters: {},
      packages: {},
      for_hardware: [],
      apply_configured_networking: false,
      has_started: script.started,
      has_finished: false,
      default: true,
      tags: [],
    });
  }
  const lines = ordered.map((script) =>
    [script.name, `${script.folder}/${script.name}`, script.resultId, 0, script.timeoutSeconds, 0, 0].join('\t'),
  );
  return tar([
    { path: 'index.json', mode: 0o644, content: Buffer.from(JSON.stringify({ '1.0': index })) },
    { path: 'index.tsv', mode: 0o644, content: Buffer.from(lines.map((line) => `${line}\n`).join('')) },
    ...ordered.map((script) => ({ path: `${script.folder}/${script.name}`, mode: 0o755, content: Buffer.from(script.content) })),
  ]);
}
