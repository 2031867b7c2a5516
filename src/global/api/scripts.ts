/** Commissioning, testing and release scripts: what there is, with the texts that each has had. Built-in ones are part of every program. */
import { fail } from '../../contract/errors.ts';
import { maasTime } from '../../contract/maas-time.ts';
import { hardwareTypes, parallelKinds, scriptTypes } from '../../contract/resources/scripts.ts';
import { wordList } from '../../contract/word-list.ts';
import type { Handlers } from '../../http/handler.ts';
import { builtInScripts } from '../built-in-scripts.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import type { GlobalReads } from './context.ts';

type NumberTable = Readonly<Record<string, { readonly number: number; readonly name: string }>>;

/** The number of a word or number of a table; undefined when it has no such entry. */
export function numberIn(table: NumberTable, text: string): number | undefined {
  return Object.entries(table).find(([word, { number }]) => word === text || String(number) === text)?.[1].number;
}

function nameIn(table: NumberTable, number: number): string {
  return Object.values(table).find((entry) => entry.number === number)?.name ?? 'Unknown';
}

/** Built-in scripts as documents; they have no history. */
const builtIn: readonly BodyOf<'script'>[] = Object.entries(builtInScripts).map(
  ([name, { id, type, title, description, content, timeoutSeconds }]) => ({
    id,
    name,
    title,
    description,
    type: scriptTypes[type].number,
    tags: [],
    script: content,
    timeout: timeoutSeconds,
  }),
);

/** Those that come with the program first. */
export function allScripts(reading: Pick<Reading, 'list'>): readonly BodyOf<'script'>[] {
  return [...builtIn, ...reading.list('script')];
}

/** Does the script come with the program? */
export function isBuiltIn(name: string): boolean {
  return Object.hasOwn(builtInScripts, name);
}

/** @throws Failure `not_found`. */
export function findScript(reading: Pick<Reading, 'named'>, name: string): BodyOf<'script'> {
  const script = builtIn.find((one) => one.name === name) ?? reading.named('script', name);
  if (!script) throw fail('not_found', { what: 'Script' });
  return script;
}

/** The texts that a script has had, newest first. One from before there were histories has only the text in force. */
export function historyOf(reading: Pick<Reading, 'list'>, script: BodyOf<'script'>): readonly Omit<BodyOf<'script_revision'>, 'script'>[] {
  const found = reading.list('script_revision').filter((revision) => revision.script === script.id);
  if (found.length === 0) return [{ id: script.id, comment: '', created: '', text: script.script }];
  return found.toSorted((a, b) => b.id - a.id);
}

/** Seconds as `H:MM:SS`. */
function duration(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function scriptBody(reading: Pick<Reading, 'list'>, script: BodyOf<'script'>, includeScript: boolean) {
  const { hardware_type = 0, parallel = 0 } = script;
  return {
    id: script.id,
    name: script.name,
    title: script.title,
    description: script.description,
    tags: script.tags,
    type: script.type,
    type_name: nameIn(scriptTypes, script.type),
    hardware_type,
    hardware_type_name: nameIn(hardwareTypes, hardware_type),
    parallel,
    parallel_name: nameIn(parallelKinds, parallel),
    results: {},
    parameters: {},
    packages: {},
    timeout: duration(script.timeout ?? 0),
    destructive: script.destructive ?? false,
    for_hardware: script.for_hardware ?? [],
    may_reboot: script.may_reboot ?? false,
    recommission: script.recommission ?? false,
    apply_configured_networking: script.apply_configured_networking ?? false,
    default: isBuiltIn(script.name),
    history: historyOf(reading, script).map(({ id, comment, created, text }) => ({
      id,
      comment: comment === '' ? null : comment,
      created: created === '' ? '' : maasTime(new Date(created)),
      ...(includeScript ? { data: Buffer.from(text, 'utf8').toString('base64') } : {}),
    })),
    resource_uri: `/MAAS/api/2.0/scripts/${encodeURIComponent(script.name)}`,
  };
}

/** The number that a filter means; undefined when there is none. @throws Failure `bad_request`. */
function wanted(table: NumberTable, text: string | undefined, what: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  const number = numberIn(table, text);
  if (number === undefined) throw fail('bad_request', { reason: `Unknown ${what}: ${text}.` });
  return number;
}

export function scriptReads({ reader }: GlobalReads): Handlers<'NodeScripts.read' | 'NodeScript.read' | 'NodeScript.download'> {
  return {
    'NodeScripts.read': ({ params }) => {
      const words = wordList([params.filters ?? '']);
      const type = wanted(scriptTypes, params.type, 'script type');
      const hardware = wanted(hardwareTypes, params.hardware_type, 'hardware type');
      return allScripts(reader)
        .filter((script) => type === undefined || script.type === type)
        .filter((script) => hardware === undefined || (script.hardware_type ?? 0) === hardware)
        .filter((script) => words.length === 0 || words.some((word) => script.name === word || script.tags.includes(word)))
        .map((script) => scriptBody(reader, script, params.include_script ?? false));
    },
    'NodeScript.read': ({ path, params }) => scriptBody(reader, findScript(reader, path.name), params.include_script ?? false),
    'NodeScript.download': ({ path, params }) => {
      const script = findScript(reader, path.name);
      if (params.revision === undefined) return Buffer.from(script.script, 'utf8');
      const revision = historyOf(reader, script).find(({ id }) => id === params.revision);
      if (!revision) throw fail('not_found', { what: 'VersionedTextFile' });
      return Buffer.from(revision.text, 'utf8');
    },
  };
}
